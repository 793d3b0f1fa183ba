//! Cloud regions of providers that publish no carbon intensity: each uses the grid that it is in.
//!
//! Sources: the lists of regions of AWS
//! (<https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html>) and Azure
//! (<https://learn.microsoft.com/azure/reliability/regions-list>), 2025.

/// A region whose provider publishes no figure.
pub(super) struct Region {
    pub provider: Provider,
    /// The provider's own spelling.
    pub name: &'static str,
    pub place: &'static str,
    /// Its eGRID subregion, its province or Australian state, or else its country.
    pub grid: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    Aws,
    Azure,
}

impl Provider {
    /// The prefix of a region's code.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Azure => "Azure",
        }
    }
}

const fn aws(name: &'static str, place: &'static str, grid: &'static str) -> Region {
    Region { provider: Provider::Aws, name, place, grid }
}

const fn azure(name: &'static str, place: &'static str, grid: &'static str) -> Region {
    Region { provider: Provider::Azure, name, place, grid }
}

/// Regions by provider and name.
#[rustfmt::skip]
pub(super) static REGIONS: &[Region] = &[
    aws("af-south-1", "Cape Town", "ZA"),
    aws("ap-east-1", "Hong Kong", "HK"),
    aws("ap-east-2", "Taipei", "TW"),
    aws("ap-northeast-1", "Tokyo", "JP"),
    aws("ap-northeast-2", "Seoul", "KR"),
    aws("ap-northeast-3", "Osaka", "JP"),
    aws("ap-south-1", "Mumbai", "IN"),
    aws("ap-south-2", "Hyderabad", "IN"),
    aws("ap-southeast-1", "Singapore", "SG"),
    aws("ap-southeast-2", "Sydney", "AU-NSW"),
    aws("ap-southeast-3", "Jakarta", "ID"),
    aws("ap-southeast-4", "Melbourne", "AU-VIC"),
    aws("ap-southeast-5", "Malaysia", "MY"),
    aws("ap-southeast-6", "Auckland", "NZ"),
    aws("ap-southeast-7", "Bangkok", "TH"),
    aws("ca-central-1", "Montréal", "CA-QC"),
    aws("ca-west-1", "Calgary", "CA-AB"),
    aws("cn-north-1", "Beijing", "CN"),
    aws("cn-northwest-1", "Ningxia", "CN"),
    aws("eu-central-1", "Frankfurt", "DE"),
    aws("eu-central-2", "Zürich", "CH"),
    aws("eu-north-1", "Stockholm", "SE"),
    aws("eu-south-1", "Milan", "IT"),
    aws("eu-south-2", "Aragón", "ES"),
    aws("eu-west-1", "Dublin", "IE"),
    aws("eu-west-2", "London", "GB"),
    aws("eu-west-3", "Paris", "FR"),
    aws("il-central-1", "Tel Aviv", "IL"),
    aws("me-central-1", "United Arab Emirates", "AE"),
    aws("me-south-1", "Bahrain", "BH"),
    aws("mx-central-1", "Querétaro", "MX"),
    aws("sa-east-1", "São Paulo", "BR"),
    aws("us-east-1", "Northern Virginia", "US-SRVC"),
    aws("us-east-2", "Ohio", "US-RFCW"),
    aws("us-gov-east-1", "Ohio", "US-RFCW"),
    aws("us-gov-west-1", "Oregon", "US-NWPP"),
    aws("us-west-1", "Northern California", "US-CAMX"),
    aws("us-west-2", "Oregon", "US-NWPP"),
    azure("australiacentral", "Canberra", "AU-ACT"),
    azure("australiacentral2", "Canberra", "AU-ACT"),
    azure("australiaeast", "New South Wales", "AU-NSW"),
    azure("australiasoutheast", "Victoria", "AU-VIC"),
    azure("austriaeast", "Vienna", "AT"),
    azure("belgiumcentral", "Brussels", "BE"),
    azure("brazilsouth", "São Paulo", "BR"),
    azure("brazilsoutheast", "Rio de Janeiro", "BR"),
    azure("canadacentral", "Toronto", "CA-ON"),
    azure("canadaeast", "Québec", "CA-QC"),
    azure("centralindia", "Pune", "IN"),
    azure("centralus", "Iowa", "US-MROW"),
    azure("chilecentral", "Santiago", "CL"),
    azure("chinaeast", "Shanghai", "CN"),
    azure("chinaeast2", "Shanghai", "CN"),
    azure("chinanorth", "Beijing", "CN"),
    azure("chinanorth2", "Beijing", "CN"),
    azure("chinanorth3", "Hebei", "CN"),
    azure("denmarkeast", "Copenhagen", "DK"),
    azure("eastasia", "Hong Kong", "HK"),
    azure("eastus", "Virginia", "US-SRVC"),
    azure("eastus2", "Virginia", "US-SRVC"),
    azure("francecentral", "Paris", "FR"),
    azure("francesouth", "Marseille", "FR"),
    azure("germanynorth", "Berlin", "DE"),
    azure("germanywestcentral", "Frankfurt", "DE"),
    azure("indonesiacentral", "Jakarta", "ID"),
    azure("israelcentral", "Israel", "IL"),
    azure("italynorth", "Milan", "IT"),
    azure("japaneast", "Tokyo", "JP"),
    azure("japanwest", "Osaka", "JP"),
    azure("jioindiacentral", "Nagpur", "IN"),
    azure("jioindiawest", "Jamnagar", "IN"),
    azure("koreacentral", "Seoul", "KR"),
    azure("koreasouth", "Busan", "KR"),
    azure("malaysiawest", "Kuala Lumpur", "MY"),
    azure("mexicocentral", "Querétaro", "MX"),
    azure("newzealandnorth", "Auckland", "NZ"),
    azure("northcentralus", "Illinois", "US-RFCW"),
    azure("northeurope", "Dublin", "IE"),
    azure("norwayeast", "Oslo", "NO"),
    azure("norwaywest", "Stavanger", "NO"),
    azure("polandcentral", "Warsaw", "PL"),
    azure("qatarcentral", "Doha", "QA"),
    azure("southafricanorth", "Johannesburg", "ZA"),
    azure("southafricawest", "Cape Town", "ZA"),
    azure("southcentralus", "Texas", "US-ERCT"),
    azure("southeastasia", "Singapore", "SG"),
    azure("southindia", "Chennai", "IN"),
    azure("spaincentral", "Madrid", "ES"),
    azure("swedencentral", "Gävle", "SE"),
    azure("swedensouth", "Malmö", "SE"),
    azure("switzerlandnorth", "Zürich", "CH"),
    azure("switzerlandwest", "Geneva", "CH"),
    azure("uaecentral", "Abu Dhabi", "AE"),
    azure("uaenorth", "Dubai", "AE"),
    azure("uksouth", "London", "GB"),
    azure("ukwest", "Cardiff", "GB"),
    azure("usgovarizona", "Arizona", "US-AZNM"),
    azure("usgovtexas", "Texas", "US-ERCT"),
    azure("usgovvirginia", "Virginia", "US-SRVC"),
    azure("westcentralus", "Wyoming", "US-RMPA"),
    azure("westeurope", "Netherlands", "NL"),
    azure("westindia", "Mumbai", "IN"),
    azure("westus", "California", "US-CAMX"),
    azure("westus2", "Washington", "US-NWPP"),
    azure("westus3", "Arizona", "US-AZNM"),
];
