//! Places without a figure, and the grids that they lie in, for hints.

/// Names that are not in the table of countries, with the code that is.
#[rustfmt::skip]
pub(super) static ALIASES: &[(&str, &str)] = &[
    ("America", "US"), ("United States of America", "US"), ("U.S.", "US"), ("U.S.A.", "US"),
    ("Britain", "GB"), ("Great Britain", "GB"), ("England", "GB"), ("Scotland", "GB"), ("Wales", "GB"),
    ("Northern Ireland", "GB"), ("Holland", "NL"), ("Korea", "KR"), ("Republic of Korea", "KR"),
    ("Emirates", "AE"), ("UAE", "AE"), ("Czech Republic", "CZ"), ("Türkiye", "TR"), ("Turkiye", "TR"),
    ("Burma", "MM"), ("Ivory Coast", "CI"), ("Russian Federation", "RU"), ("Viet Nam", "VN"),
    ("Deutschland", "DE"), ("Österreich", "AT"), ("Schweiz", "CH"), ("Suisse", "CH"), ("España", "ES"),
    ("Italia", "IT"), ("Brasil", "BR"), ("Polska", "PL"), ("Sverige", "SE"), ("Norge", "NO"),
    ("Danmark", "DK"), ("Suomi", "FI"), ("Nederland", "NL"), ("Québec", "CA"), ("Quebec", "CA"),
    ("Ontario", "CA"), ("British Columbia", "CA"), ("Alberta", "CA"), ("Bavaria", "DE"),
    ("New South Wales", "AU"), ("Queensland", "AU"), ("Catalonia", "ES"),
];

/// States of the United States. Their postal codes are not codes of countries (`CA`, `GA`).
#[rustfmt::skip]
pub(super) static STATES: &[(&str, &str)] = &[
    ("Alabama", "AL"), ("Alaska", "AK"), ("Arizona", "AZ"), ("Arkansas", "AR"), ("California", "CA"),
    ("Colorado", "CO"), ("Connecticut", "CT"), ("Delaware", "DE"), ("Florida", "FL"), ("Georgia", "GA"),
    ("Hawaii", "HI"), ("Idaho", "ID"), ("Illinois", "IL"), ("Indiana", "IN"), ("Iowa", "IA"),
    ("Kansas", "KS"), ("Kentucky", "KY"), ("Louisiana", "LA"), ("Maine", "ME"), ("Maryland", "MD"),
    ("Massachusetts", "MA"), ("Michigan", "MI"), ("Minnesota", "MN"), ("Mississippi", "MS"),
    ("Missouri", "MO"), ("Montana", "MT"), ("Nebraska", "NE"), ("Nevada", "NV"), ("New Hampshire", "NH"),
    ("New Jersey", "NJ"), ("New Mexico", "NM"), ("New York", "NY"), ("North Carolina", "NC"),
    ("North Dakota", "ND"), ("Ohio", "OH"), ("Oklahoma", "OK"), ("Oregon", "OR"), ("Pennsylvania", "PA"),
    ("Rhode Island", "RI"), ("South Carolina", "SC"), ("South Dakota", "SD"), ("Tennessee", "TN"),
    ("Texas", "TX"), ("Utah", "UT"), ("Vermont", "VT"), ("Virginia", "VA"), ("Washington", "WA"),
    ("West Virginia", "WV"), ("Wisconsin", "WI"), ("Wyoming", "WY"), ("District of Columbia", "DC"),
];

/// States that mostly lie in one eGRID subregion of this crate.
pub(super) static SUBREGIONS: &[(&str, &str)] = &[
    ("California", "US-CAMX"),
    ("Delaware", "US-RFCE"),
    ("Maryland", "US-RFCE"),
    ("New Jersey", "US-RFCE"),
    ("Pennsylvania", "US-RFCE"),
    ("Iowa", "US-MROW"),
    ("Minnesota", "US-MROW"),
    ("Nebraska", "US-MROW"),
    ("North Dakota", "US-MROW"),
    ("South Dakota", "US-MROW"),
];

/// States of Google regions whose place is a city or a part of a state.
pub(super) static CITIES: &[(&str, &str)] = &[
    ("Northern Virginia", "Virginia"),
    ("Columbus", "Ohio"),
    ("Dallas", "Texas"),
    ("Los Angeles", "California"),
    ("Salt Lake City", "Utah"),
    ("Las Vegas", "Nevada"),
];
