//! What clouds ask for today's accelerators: list prices in US dollars, each with its day and where it was read.
//!
//! List prices change weekly and differ by region; a bill is exact, this table is not. Most rows have no spot price,
//! because none with a date could be read.

use super::price::{AcceleratorPrice, CloudQuote, PerUnit};
use crate::units::UsDollars;

/// An accelerator: the name in reports, its unit, and the words that a label has of it, in any of several spellings.
struct Board {
    name: &'static str,
    unit: PerUnit,
    words: &'static [&'static [&'static str]],
}

struct Row {
    board: &'static Board,
    provider: &'static str,
    region: &'static str,
    instance: &'static str,
    boards: u32,
    on_demand: Option<f64>,
    spot: Option<f64>,
    date: &'static str,
    source: &'static str,
}

const fn gpu(name: &'static str, words: &'static [&'static [&'static str]]) -> Board {
    Board { name, unit: PerUnit::Gpu, words }
}

const fn chip(name: &'static str, words: &'static [&'static [&'static str]]) -> Board {
    Board { name, unit: PerUnit::Chip, words }
}

static A100_40: Board = gpu("NVIDIA A100 40 GB", &[&["A100", "40GB"], &["A100", "40", "GB"]]);
static A100_80: Board = gpu("NVIDIA A100 80 GB", &[&["A100", "80GB"], &["A100", "80", "GB"]]);
static H100_PCIE: Board = gpu("NVIDIA H100 PCIe", &[&["H100", "PCIE"]]);
static H100_NVL: Board = gpu("NVIDIA H100 NVL", &[&["H100", "NVL"]]);
static H100: Board = gpu("NVIDIA H100", &[&["H100"]]);
static H200: Board = gpu("NVIDIA H200", &[&["H200"]]);
static B200: Board = gpu("NVIDIA B200", &[&["B200"]]);
static L4: Board = gpu("NVIDIA L4", &[&["L4"]]);
static L40S: Board = gpu("NVIDIA L40S", &[&["L40S"]]);
static MI300X: Board = gpu("AMD MI300X", &[&["MI300X"]]);
static TPU_V5E: Board = chip("TPU v5e", &[&["TPU", "V5E"], &["TPUV5E"]]);
static TPU_V5P: Board = chip("TPU v5p", &[&["TPU", "V5P"], &["TPUV5P"]]);

/// The more exact name first: an `H100 PCIe` is an `H100` as well.
static BOARDS: &[&Board] = &[
    &A100_40, &A100_80, &H100_PCIE, &H100_NVL, &H100, &H200, &B200, &L4, &L40S, &MI300X, &TPU_V5E,
    &TPU_V5P,
];

const AWS_LIST: &str = "AWS price list, through datareceipts/data-receipts 109-gpu-pricing";
const AWS_TABLE: &str =
    "AWS price list of us-east-1, through a public table of 2026 that agrees with the above";
const AZURE_LIST: &str = "Azure retail prices, through datareceipts/data-receipts 109-gpu-pricing";
const GOOGLE_SKUS: &str =
    "Google Cloud billing catalogue, through tgarg01/silybench-data gpu_prices.csv";
const GOOGLE_CATALOG: &str =
    "Google Cloud billing catalogue, through Cyclenerd/google-cloud-pricing-cost-calculator";
const PRICE_PAGE: &str = "the provider's price page, through tgarg01/silybench-data gpu_prices.csv";
const MI300X_NOTE: &str = "Cliff Center, AMD inference economics, 2026-05-18";
const TPU_NOTE: &str =
    "Google Cloud, Introducing Cloud TPU v5p and AI Hypercomputer: public list price";

const fn row(
    board: &'static Board,
    (provider, region, instance): (&'static str, &'static str, &'static str),
    boards: u32,
    on_demand: Option<f64>,
    spot: Option<f64>,
    date: &'static str,
    source: &'static str,
) -> Row {
    Row { board, provider, region, instance, boards, on_demand, spot, date, source }
}

#[rustfmt::skip]
static ROWS: &[Row] = &[
    row(&A100_40, ("AWS", "us-east-1", "p4d.24xlarge"), 8, Some(21.957_642), None, "2026-11-09", AWS_LIST),
    row(&A100_40, ("Google Cloud", "us-central1", "a2-highgpu-1g"), 1, Some(3.673_385), Some(1.293_355), "2025-03-06", GOOGLE_CATALOG),
    row(&A100_40, ("Lambda", "", ""), 1, Some(1.99), None, "2026-09-25", PRICE_PAGE),
    row(&A100_80, ("AWS", "us-east-1", "p4de.24xlarge"), 8, Some(27.44705), None, "2026-11-09", AWS_LIST),
    row(&A100_80, ("Azure", "eastus", "Standard_NC24ads_A100_v4"), 1, Some(3.673), None, "2026-11-09", AZURE_LIST),
    row(&A100_80, ("Lambda", "", ""), 8, Some(8.0 * 2.79), None, "2026-09-25", PRICE_PAGE),
    row(&A100_80, ("RunPod", "", ""), 1, Some(1.59), None, "2026-09-25", PRICE_PAGE),
    row(&H100, ("AWS", "us-east-1", "p5.48xlarge"), 8, Some(55.04), None, "2026-11-09", AWS_LIST),
    row(&H100, ("Azure", "eastus", "Standard_ND96isr_H100_v5"), 8, Some(8.0 * 12.29), None, "2026-11-09", AZURE_LIST),
    row(&H100, ("Google Cloud", "us-central1", "a3-highgpu-1g"), 1, Some(10.9791), Some(6.571), "2026-09-26", GOOGLE_SKUS),
    row(&H100, ("Lambda", "", ""), 8, Some(8.0 * 3.99), None, "2026-09-25", PRICE_PAGE),
    row(&H100, ("Nebius", "", ""), 1, Some(3.85), None, "2026-09-25", PRICE_PAGE),
    row(&H100, ("RunPod", "", ""), 1, Some(3.49), None, "2026-09-25", PRICE_PAGE),
    row(&H100_PCIE, ("Lambda", "", ""), 1, Some(3.29), None, "2026-09-25", PRICE_PAGE),
    row(&H100_PCIE, ("RunPod", "", ""), 1, Some(2.89), None, "2026-09-25", PRICE_PAGE),
    row(&H100_NVL, ("Azure", "eastus", "Standard_NC40ads_H100_v5"), 1, Some(6.98), None, "2026-11-09", AZURE_LIST),
    row(&H100_NVL, ("RunPod", "", ""), 1, Some(3.19), None, "2026-09-25", PRICE_PAGE),
    row(&H200, ("AWS", "us-east-1", "p5en.48xlarge"), 8, Some(63.296), None, "2026", AWS_TABLE),
    row(&H200, ("Nebius", "", ""), 1, Some(4.5), None, "2026-09-25", PRICE_PAGE),
    row(&H200, ("RunPod", "", ""), 1, Some(4.59), None, "2026-09-25", PRICE_PAGE),
    row(&B200, ("Lambda", "", ""), 1, Some(6.99), None, "2026-09-25", PRICE_PAGE),
    row(&B200, ("Nebius", "", ""), 1, Some(7.15), None, "2026-09-25", PRICE_PAGE),
    row(&B200, ("RunPod", "", ""), 1, Some(6.79), None, "2026-09-25", PRICE_PAGE),
    row(&L4, ("AWS", "us-east-1", "g6.xlarge"), 1, Some(0.8048), None, "2026", AWS_TABLE),
    row(&L40S, ("AWS", "us-east-1", "g6e.xlarge"), 1, Some(1.861), None, "2026", AWS_TABLE),
    row(&L40S, ("Nebius", "", ""), 1, Some(1.55), None, "2026-09-25", PRICE_PAGE),
    row(&L40S, ("RunPod", "", ""), 1, Some(1.09), None, "2026-09-25", PRICE_PAGE),
    row(&MI300X, ("Azure", "", ""), 1, Some(6.0), None, "2026-05-18", MI300X_NOTE),
    row(&MI300X, ("Crusoe", "", ""), 1, None, Some(1.71), "2026-05-18", MI300X_NOTE),
    row(&MI300X, ("Oracle", "", ""), 1, Some(6.0), None, "2026-05-18", MI300X_NOTE),
    row(&MI300X, ("TensorWave", "", ""), 1, Some(1.5), None, "2026-05-18", MI300X_NOTE),
    row(&MI300X, ("Vultr", "", ""), 1, Some(1.85), None, "2026-05-18", MI300X_NOTE),
    row(&TPU_V5E, ("Google Cloud", "", ""), 1, Some(1.2), None, "2023-12", TPU_NOTE),
    row(&TPU_V5P, ("Google Cloud", "", ""), 1, Some(4.2), None, "2023-12", TPU_NOTE),
];

impl AcceleratorPrice {
    /// What clouds ask for an accelerator, by its name as the driver or a user writes it (`NVIDIA H100 80GB HBM3`,
    /// `A100-80GB`, `TPU v5e`): from the lowest price, spot where one is known, to the highest on-demand one. In a
    /// region of a cloud (`aws:us-east-1`) that cloud's prices are used, if there are any. `None` for a board without
    /// a known price, and for a part of a board.
    #[must_use]
    pub fn of_board(name: &str, place: &str) -> Option<Self> {
        let (name, unit, quotes) = quotes(name, place)?;
        let ranges = || quotes.iter().filter_map(CloudQuote::range);
        let mut providers: Vec<&str> = quotes.iter().map(|quote| quote.provider.as_str()).collect();
        providers.dedup();
        Some(Self {
            name: name.to_owned(),
            low: ranges().map(|range| range.0).reduce(UsDollars::min)?,
            high: ranges().map(|range| range.1).reduce(UsDollars::max)?,
            unit,
            source: format!("list prices of {}", providers.join(", ")),
            year: quotes.iter().map(CloudQuote::year).min()?,
            quotes,
        })
    }

    /// The price of each of several boards: known if all are of one model.
    pub(crate) fn of_boards(labels: &[String], place: &str) -> Option<Self> {
        let mut prices = labels.iter().map(|label| Self::of_board(label, place));
        let first = prices.next()??;
        prices.all(|price| price.is_some_and(|price| price.name == first.name)).then_some(first)
    }

    /// Every accelerator that clouds have a known price for.
    pub fn all_boards() -> impl Iterator<Item = Self> {
        names().filter_map(|name| Self::of_board(name, ""))
    }
}

/// The board that a label names: its name, its unit and what clouds ask for it. In a region of a cloud, that cloud's
/// prices alone, if it has any.
fn quotes(label: &str, place: &str) -> Option<(&'static str, PerUnit, Vec<CloudQuote>)> {
    let board = board(label)?;
    let own = || ROWS.iter().filter(|row| std::ptr::eq(row.board, board));
    let cloud = match place.split_once(':') {
        Some(("aws", _)) => "AWS",
        Some(("azure", _)) => "Azure",
        Some(("gcp", _)) => "Google Cloud",
        _ => "",
    };
    let of_the_cloud: Vec<_> = own().filter(|row| row.provider == cloud).map(quote).collect();
    let quotes = if of_the_cloud.is_empty() { own().map(quote).collect() } else { of_the_cloud };
    Some((board.name, board.unit, quotes))
}

/// Names of the accelerators with a price.
fn names() -> impl Iterator<Item = &'static str> {
    BOARDS.iter().map(|board| board.name)
}

fn board(label: &str) -> Option<&'static Board> {
    let label = label.to_ascii_uppercase();
    let words: Vec<&str> = label.split(|letter: char| !letter.is_ascii_alphanumeric()).collect();
    // A part of a board has no price of its own.
    if words.contains(&"MIG") {
        return None;
    }
    let has = |spelling: &&[&str]| spelling.iter().all(|word| words.contains(word));
    BOARDS.iter().copied().find(|board| board.words.iter().any(has))
}

fn quote(row: &Row) -> CloudQuote {
    let Row { board: _, provider, region, instance, boards, on_demand, spot, date, source } = row;
    CloudQuote {
        provider: (*provider).to_owned(),
        region: (*region).to_owned(),
        instance: (*instance).to_owned(),
        boards: *boards,
        on_demand: on_demand.map(UsDollars::new),
        spot: spot.map(UsDollars::new),
        date: (*date).to_owned(),
        source: (*source).to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "exact in closed form")]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_known_by_the_name_that_its_driver_gives() {
        let of = |label: &str| AcceleratorPrice::of_board(label, "").map(|price| price.name);
        for (label, name) in [
            ("NVIDIA A100-SXM4-40GB", "NVIDIA A100 40 GB"),
            ("A100-PCIE-40GB", "NVIDIA A100 40 GB"),
            ("NVIDIA A100-SXM4-80GB", "NVIDIA A100 80 GB"),
            ("NVIDIA A100 80GB PCIe", "NVIDIA A100 80 GB"),
            ("NVIDIA H100 80GB HBM3", "NVIDIA H100"),
            ("NVIDIA H100 PCIe", "NVIDIA H100 PCIe"),
            ("NVIDIA H100 NVL", "NVIDIA H100 NVL"),
            ("NVIDIA H200", "NVIDIA H200"),
            ("NVIDIA B200", "NVIDIA B200"),
            ("NVIDIA L4", "NVIDIA L4"),
            ("NVIDIA L40S", "NVIDIA L40S"),
            ("AMD Instinct MI300X OAM", "AMD MI300X"),
            ("TPUv5e", "TPU v5e"),
            ("tpu v5p", "TPU v5p"),
        ] {
            assert_eq!(of(label).as_deref(), Some(name), "{label}");
        }
        // Another board, a part of one, one of two: none of them has a price.
        for label in [
            "NVIDIA GH200 480GB",
            "NVIDIA L40",
            "NVIDIA H100 80GB HBM3 MIG 1g.10gb",
            "NVIDIA A100",
            "Tesla P100",
            "",
        ] {
            assert_eq!(of(label), None, "{label}");
        }
    }

    #[test]
    fn every_row_has_a_price_a_day_and_a_source() {
        let priced = AcceleratorPrice::all_boards().count();
        assert_eq!(priced, BOARDS.len(), "each board has a row");
        for row in ROWS {
            let quote = quote(row);
            assert!(
                quote.on_demand.or(quote.spot).is_some() && !quote.source.is_empty(),
                "{quote:?}"
            );
            assert!((2023..=2026).contains(&quote.year()), "{quote:?}");
            assert!(
                quote.spot.zip(quote.on_demand).is_none_or(|(spot, full)| spot < full),
                "{quote:?}"
            );
            let each = quote.on_demand.or(quote.spot).unwrap().get() / f64::from(quote.boards);
            assert!((0.5..=13.0).contains(&each), "{quote:?}");
        }
        for price in AcceleratorPrice::all_boards() {
            assert!(price.low <= price.high, "{price:?}");
            assert!(
                price.quotes.iter().all(|quote| quote.year() >= price.year),
                "older than its label: {price:?}"
            );
        }
    }

    #[test]
    fn a_clouds_own_region_has_its_own_prices() {
        let providers = |place: &str| {
            let price = AcceleratorPrice::of_board("NVIDIA H100 80GB HBM3", place).unwrap();
            (
                price.quotes.len(),
                price.quotes[0].provider.clone(),
                price.low.get(),
                price.high.get(),
            )
        };
        assert_eq!(providers("gcp:us-central1"), (1, "Google Cloud".to_owned(), 6.571, 10.9791));
        assert_eq!(providers("aws:us-east-1"), (1, "AWS".to_owned(), 6.88, 6.88));
        let (count, _, low, high) = providers("DE");
        assert_eq!((count, low, high), (6, 3.49, 12.29));
        // Google has no B200 here: those of the others are used, and named.
        assert_eq!(
            AcceleratorPrice::of_board("NVIDIA B200", "gcp:us-central1").unwrap().quotes.len(),
            3
        );
    }

    #[test]
    fn boards_of_two_models_have_no_common_price() {
        let labels = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let price = |names: &[&str]| {
            AcceleratorPrice::of_boards(&labels(names), "").map(|price| price.name)
        };
        assert_eq!(price(&["NVIDIA H200", "NVIDIA H200"]).as_deref(), Some("NVIDIA H200"));
        assert_eq!(price(&["NVIDIA H200", "NVIDIA L4"]), None);
        assert_eq!(price(&["NVIDIA H200", "NVIDIA GeForce RTX 4090"]), None);
        assert_eq!(price(&[]), None);
    }
}
