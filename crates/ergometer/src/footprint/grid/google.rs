//! Carbon intensity of the grids around Google's cloud regions.
//!
//! Source: Google Cloud, region carbon data, 2024. The intensity is the grid's own; Google's share of
//! carbon-free energy is not subtracted.

use super::CloudRegion;

/// Regions by name.
#[rustfmt::skip]
pub(super) static GOOGLE: &[CloudRegion] = &[
    CloudRegion { name: "africa-south1", place: "Johannesburg", grams_per_kwh: 656.85 },
    CloudRegion { name: "asia-east1", place: "Taiwan", grams_per_kwh: 439.29 },
    CloudRegion { name: "asia-east2", place: "Hong Kong", grams_per_kwh: 505.02 },
    CloudRegion { name: "asia-northeast1", place: "Tokyo", grams_per_kwh: 452.85 },
    CloudRegion { name: "asia-northeast2", place: "Osaka", grams_per_kwh: 296.19 },
    CloudRegion { name: "asia-northeast3", place: "Seoul", grams_per_kwh: 356.57 },
    CloudRegion { name: "asia-south1", place: "Mumbai", grams_per_kwh: 678.76 },
    CloudRegion { name: "asia-south2", place: "Delhi", grams_per_kwh: 531.83 },
    CloudRegion { name: "asia-southeast1", place: "Singapore", grams_per_kwh: 366.85 },
    CloudRegion { name: "asia-southeast2", place: "Jakarta", grams_per_kwh: 560.55 },
    CloudRegion { name: "australia-southeast1", place: "Sydney", grams_per_kwh: 497.5 },
    CloudRegion { name: "australia-southeast2", place: "Melbourne", grams_per_kwh: 454.37 },
    CloudRegion { name: "europe-central2", place: "Warsaw", grams_per_kwh: 642.88 },
    CloudRegion { name: "europe-north1", place: "Finland", grams_per_kwh: 39.32 },
    CloudRegion { name: "europe-north2", place: "Stockholm", grams_per_kwh: 2.73 },
    CloudRegion { name: "europe-southwest1", place: "Madrid", grams_per_kwh: 89.04 },
    CloudRegion { name: "europe-west1", place: "Belgium", grams_per_kwh: 103.37 },
    CloudRegion { name: "europe-west2", place: "London", grams_per_kwh: 105.94 },
    CloudRegion { name: "europe-west3", place: "Frankfurt", grams_per_kwh: 275.82 },
    CloudRegion { name: "europe-west4", place: "Eemshaven", grams_per_kwh: 208.81 },
    CloudRegion { name: "europe-west6", place: "Zürich", grams_per_kwh: 15.05 },
    CloudRegion { name: "europe-west8", place: "Milan", grams_per_kwh: 201.69 },
    CloudRegion { name: "europe-west9", place: "Paris", grams_per_kwh: 16.3 },
    CloudRegion { name: "europe-west10", place: "Berlin", grams_per_kwh: 275.82 },
    CloudRegion { name: "europe-west12", place: "Turin", grams_per_kwh: 201.69 },
    CloudRegion { name: "me-central1", place: "Doha", grams_per_kwh: 366.0 },
    CloudRegion { name: "me-central2", place: "Dammam", grams_per_kwh: 382.23 },
    CloudRegion { name: "me-west1", place: "Tel Aviv", grams_per_kwh: 433.75 },
    CloudRegion { name: "northamerica-northeast1", place: "Montréal", grams_per_kwh: 5.48 },
    CloudRegion { name: "northamerica-northeast2", place: "Toronto", grams_per_kwh: 58.56 },
    CloudRegion { name: "northamerica-south1", place: "Mexico", grams_per_kwh: 305.0 },
    CloudRegion { name: "southamerica-east1", place: "Sāo Paulo", grams_per_kwh: 67.32 },
    CloudRegion { name: "southamerica-west1", place: "Santiago", grams_per_kwh: 238.0 },
    CloudRegion { name: "us-central1", place: "Iowa", grams_per_kwh: 412.72 },
    CloudRegion { name: "us-central2", place: "Oklahoma", grams_per_kwh: 372.23 },
    CloudRegion { name: "us-east1", place: "South Carolina", grams_per_kwh: 575.77 },
    CloudRegion { name: "us-east2", place: "Georgia", grams_per_kwh: 340.42 },
    CloudRegion { name: "us-east4", place: "Northern Virginia", grams_per_kwh: 323.05 },
    CloudRegion { name: "us-east5", place: "Columbus", grams_per_kwh: 323.05 },
    CloudRegion { name: "us-south1", place: "Dallas", grams_per_kwh: 302.95 },
    CloudRegion { name: "us-west1", place: "Oregon", grams_per_kwh: 79.23 },
    CloudRegion { name: "us-west2", place: "Los Angeles", grams_per_kwh: 169.28 },
    CloudRegion { name: "us-west3", place: "Salt Lake City", grams_per_kwh: 555.17 },
    CloudRegion { name: "us-west4", place: "Las Vegas", grams_per_kwh: 357.3 },
];
