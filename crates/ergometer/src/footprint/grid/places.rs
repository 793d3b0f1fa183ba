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
    ("Danmark", "DK"), ("Suomi", "FI"), ("Nederland", "NL"), ("Québec", "CA-QC"), ("Bavaria", "DE"),
    ("Catalonia", "ES"), ("Andhra Pradesh", "IN"), ("Delhi", "IN"), ("Gujarat", "IN"), ("Haryana", "IN"),
    ("Karnataka", "IN"), ("Kerala", "IN"), ("Maharashtra", "IN"), ("Rajasthan", "IN"), ("Tamil Nadu", "IN"),
    ("Telangana", "IN"), ("Uttar Pradesh", "IN"), ("West Bengal", "IN"),
];

/// States of which most lies in one eGRID subregion, which is the grid that they draw from.
pub(super) static MOSTLY_IN: &[(&str, &str)] = &[
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
    ("Arizona", "US-AZNM"),
    ("Florida", "US-FRCC"),
    ("Georgia", "US-SRSO"),
    ("North Carolina", "US-SRVC"),
    ("Ohio", "US-RFCW"),
    ("Oregon", "US-NWPP"),
    ("South Carolina", "US-SRVC"),
    ("Texas", "US-ERCT"),
    ("Utah", "US-NWPP"),
    ("Virginia", "US-SRVC"),
    ("Washington", "US-NWPP"),
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
