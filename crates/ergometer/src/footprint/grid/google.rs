//! Carbon intensity of the grids around Google's cloud regions.
//!
//! Source: Google Cloud, region carbon data, 2024. The intensity is the grid's own; Google's share of
//! carbon-free energy is not subtracted.

use super::CloudRegion;

/// Regions by name.
#[rustfmt::skip]
pub(super) static GOOGLE: &[CloudRegion] = &[
    CloudRegion { name: "africa-south1", place: "Johannesburg", lies_in: "ZA", grams_per_kwh: 656.85 },
    CloudRegion { name: "asia-east1", place: "Taiwan", lies_in: "TW", grams_per_kwh: 439.29 },
    CloudRegion { name: "asia-east2", place: "Hong Kong", lies_in: "HK", grams_per_kwh: 505.02 },
    CloudRegion { name: "asia-northeast1", place: "Tokyo", lies_in: "JP", grams_per_kwh: 452.85 },
    CloudRegion { name: "asia-northeast2", place: "Osaka", lies_in: "JP", grams_per_kwh: 296.19 },
    CloudRegion { name: "asia-northeast3", place: "Seoul", lies_in: "KR", grams_per_kwh: 356.57 },
    CloudRegion { name: "asia-south1", place: "Mumbai", lies_in: "IN", grams_per_kwh: 678.76 },
    CloudRegion { name: "asia-south2", place: "Delhi", lies_in: "IN", grams_per_kwh: 531.83 },
    CloudRegion { name: "asia-southeast1", place: "Singapore", lies_in: "SG", grams_per_kwh: 366.85 },
    CloudRegion { name: "asia-southeast2", place: "Jakarta", lies_in: "ID", grams_per_kwh: 560.55 },
    CloudRegion { name: "australia-southeast1", place: "Sydney", lies_in: "AU-NSW", grams_per_kwh: 497.5 },
    CloudRegion { name: "australia-southeast2", place: "Melbourne", lies_in: "AU-VIC", grams_per_kwh: 454.37 },
    CloudRegion { name: "europe-central2", place: "Warsaw", lies_in: "PL", grams_per_kwh: 642.88 },
    CloudRegion { name: "europe-north1", place: "Finland", lies_in: "FI", grams_per_kwh: 39.32 },
    CloudRegion { name: "europe-north2", place: "Stockholm", lies_in: "SE", grams_per_kwh: 2.73 },
    CloudRegion { name: "europe-southwest1", place: "Madrid", lies_in: "ES", grams_per_kwh: 89.04 },
    CloudRegion { name: "europe-west1", place: "Belgium", lies_in: "BE", grams_per_kwh: 103.37 },
    CloudRegion { name: "europe-west2", place: "London", lies_in: "GB", grams_per_kwh: 105.94 },
    CloudRegion { name: "europe-west3", place: "Frankfurt", lies_in: "DE", grams_per_kwh: 275.82 },
    CloudRegion { name: "europe-west4", place: "Eemshaven", lies_in: "NL", grams_per_kwh: 208.81 },
    CloudRegion { name: "europe-west6", place: "Zürich", lies_in: "CH", grams_per_kwh: 15.05 },
    CloudRegion { name: "europe-west8", place: "Milan", lies_in: "IT", grams_per_kwh: 201.69 },
    CloudRegion { name: "europe-west9", place: "Paris", lies_in: "FR", grams_per_kwh: 16.3 },
    CloudRegion { name: "europe-west10", place: "Berlin", lies_in: "DE", grams_per_kwh: 275.82 },
    CloudRegion { name: "europe-west12", place: "Turin", lies_in: "IT", grams_per_kwh: 201.69 },
    CloudRegion { name: "me-central1", place: "Doha", lies_in: "QA", grams_per_kwh: 366.0 },
    CloudRegion { name: "me-central2", place: "Dammam", lies_in: "SA", grams_per_kwh: 382.23 },
    CloudRegion { name: "me-west1", place: "Tel Aviv", lies_in: "IL", grams_per_kwh: 433.75 },
    CloudRegion { name: "northamerica-northeast1", place: "Montréal", lies_in: "CA-QC", grams_per_kwh: 5.48 },
    CloudRegion { name: "northamerica-northeast2", place: "Toronto", lies_in: "CA-ON", grams_per_kwh: 58.56 },
    CloudRegion { name: "northamerica-south1", place: "Mexico", lies_in: "MX", grams_per_kwh: 305.0 },
    CloudRegion { name: "southamerica-east1", place: "Sāo Paulo", lies_in: "BR", grams_per_kwh: 67.32 },
    CloudRegion { name: "southamerica-west1", place: "Santiago", lies_in: "CL", grams_per_kwh: 238.0 },
    CloudRegion { name: "us-central1", place: "Iowa", lies_in: "US-IA", grams_per_kwh: 412.72 },
    CloudRegion { name: "us-central2", place: "Oklahoma", lies_in: "US-OK", grams_per_kwh: 372.23 },
    CloudRegion { name: "us-east1", place: "South Carolina", lies_in: "US-SC", grams_per_kwh: 575.77 },
    CloudRegion { name: "us-east2", place: "Georgia", lies_in: "US-GA", grams_per_kwh: 340.42 },
    CloudRegion { name: "us-east4", place: "Northern Virginia", lies_in: "US-VA", grams_per_kwh: 323.05 },
    CloudRegion { name: "us-east5", place: "Columbus", lies_in: "US-OH", grams_per_kwh: 323.05 },
    CloudRegion { name: "us-south1", place: "Dallas", lies_in: "US-TX", grams_per_kwh: 302.95 },
    CloudRegion { name: "us-west1", place: "Oregon", lies_in: "US-OR", grams_per_kwh: 79.23 },
    CloudRegion { name: "us-west2", place: "Los Angeles", lies_in: "US-CA", grams_per_kwh: 169.28 },
    CloudRegion { name: "us-west3", place: "Salt Lake City", lies_in: "US-UT", grams_per_kwh: 555.17 },
    CloudRegion { name: "us-west4", place: "Las Vegas", lies_in: "US-NV", grams_per_kwh: 357.3 },
];
