//! Processors whose thermal design power is known, or assumed, and where each figure is from.

/// A processor model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// As in `model name`, followed by no letter or digit (an EPYC also by the `P` of parts for one socket), or the name
    /// of an Arm core.
    pub(super) name: &'static str,
    /// Thermal design power of a package, watts.
    pub(super) tdp: f64,
    /// Cores of a package.
    pub(super) cores: u32,
    /// Logical processors of a package with its threads on.
    pub(super) threads: u32,
}

/// Processors whose figures have one source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// Where the figures are from.
    pub(super) source: &'static str,
    /// When the processors were announced; for a list of others, when it was written.
    pub(super) year: u16,
    /// Whether the maker publishes the power. What others state or assume of a part that is made for one cloud is less
    /// certain.
    pub(super) published: bool,
    pub(super) processors: &'static [Known],
}

const fn known(name: &'static str, tdp: f64, cores: u32, threads: u32) -> Known {
    Known { name, tdp, cores, threads }
}

const fn of(source: &'static str, year: u16, processors: &'static [Known]) -> Origin {
    Origin { source, year, published: true, processors }
}

const fn others(source: &'static str, year: u16, processors: &'static [Known]) -> Origin {
    Origin { source, year, published: false, processors }
}

const ARK: &str = "Intel, ark.intel.com";
const AMD: &str = "AMD, amd.com, product specifications";

/// Those that servers, clouds and desktops run; Intel's desktop parts only up to the generation whose TDP was not yet
/// called base power.
pub(super) static ORIGINS: [Origin; 22] = [
    of(ARK, 2012, &[known("E3-1240 V2", 69.0, 4, 8)]),
    of(
        ARK,
        2014,
        &[
            known("E5-2620 v3", 85.0, 6, 12),
            known("E5-2680 v3", 120.0, 12, 24),
            known("E5-2690 v3", 135.0, 12, 24),
        ],
    ),
    of(
        ARK,
        2016,
        &[
            known("E5-2650 v4", 105.0, 12, 24),
            known("E5-2680 v4", 120.0, 14, 28),
            known("E5-2690 v4", 135.0, 14, 28),
            known("E5-2697 v4", 145.0, 18, 36),
            known("E5-2698 v4", 135.0, 20, 40),
        ],
    ),
    // Skylake.
    of(
        ARK,
        2017,
        &[
            known("Gold 6130", 125.0, 16, 32),
            known("Gold 6148", 150.0, 20, 40),
            known("Platinum 8168", 205.0, 24, 48),
            known("Platinum 8180", 205.0, 28, 56),
        ],
    ),
    // Cascade Lake.
    of(
        ARK,
        2019,
        &[
            known("Gold 5218", 125.0, 16, 32),
            known("Gold 6230", 125.0, 20, 40),
            known("Gold 6248", 150.0, 20, 40),
            known("Gold 6248R", 205.0, 24, 48),
            known("Platinum 8260", 165.0, 24, 48),
            known("Platinum 8280", 205.0, 28, 56),
        ],
    ),
    // Ice Lake.
    of(
        ARK,
        2021,
        &[
            known("Gold 6330", 205.0, 28, 56),
            known("Gold 6338", 205.0, 32, 64),
            known("Gold 6348", 235.0, 28, 56),
            known("Platinum 8358", 250.0, 32, 64),
            known("Platinum 8360Y", 250.0, 36, 72),
            known("Platinum 8380", 270.0, 40, 80),
        ],
    ),
    // Sapphire Rapids.
    of(
        ARK,
        2023,
        &[
            known("Gold 6430", 270.0, 32, 64),
            known("Gold 6438Y+", 205.0, 32, 64),
            known("Gold 6448Y", 225.0, 32, 64),
            known("Platinum 8452Y", 300.0, 36, 72),
            known("Platinum 8458P", 350.0, 44, 88),
            known("Platinum 8460Y+", 300.0, 40, 80),
            known("Platinum 8462Y+", 300.0, 32, 64),
            known("Platinum 8468", 350.0, 48, 96),
            known("Platinum 8468V", 330.0, 48, 96),
            known("Platinum 8470", 350.0, 52, 104),
            known("Platinum 8480+", 350.0, 56, 112),
            known("Platinum 8490H", 350.0, 60, 120),
        ],
    ),
    // Emerald Rapids.
    of(
        ARK,
        2023,
        &[
            known("Gold 6530", 270.0, 32, 64),
            known("Gold 6548Y+", 250.0, 32, 64),
            known("Platinum 8558", 330.0, 48, 96),
            known("Platinum 8558P", 350.0, 48, 96),
            known("Platinum 8558U", 300.0, 48, 96),
            known("Platinum 8562Y+", 300.0, 32, 64),
            known("Platinum 8568Y+", 350.0, 48, 96),
            known("Platinum 8570", 350.0, 56, 112),
            known("Platinum 8580", 350.0, 60, 120),
            known("Platinum 8592+", 350.0, 64, 128),
            known("Platinum 8592V", 330.0, 64, 128),
        ],
    ),
    // Granite Rapids.
    of(
        ARK,
        2024,
        &[
            known("Xeon(R) 6952P", 400.0, 96, 192),
            known("Xeon(R) 6960P", 500.0, 72, 144),
            known("Xeon(R) 6972P", 500.0, 96, 192),
            known("Xeon(R) 6979P", 500.0, 120, 240),
            known("Xeon(R) 6980P", 500.0, 128, 256),
        ],
    ),
    // Naples.
    of(AMD, 2017, &[known("EPYC 7551", 180.0, 32, 64), known("EPYC 7601", 180.0, 32, 64)]),
    // Rome.
    of(
        AMD,
        2019,
        &[
            known("EPYC 7302", 155.0, 16, 32),
            known("EPYC 7402", 180.0, 24, 48),
            known("EPYC 7452", 155.0, 32, 64),
            known("EPYC 7502", 180.0, 32, 64),
            known("EPYC 7542", 225.0, 32, 64),
            known("EPYC 7642", 225.0, 48, 96),
            known("EPYC 7702", 200.0, 64, 128),
            known("EPYC 7742", 225.0, 64, 128),
        ],
    ),
    // Milan.
    of(
        AMD,
        2021,
        &[
            known("EPYC 7313", 155.0, 16, 32),
            known("EPYC 7413", 180.0, 24, 48),
            known("EPYC 7443", 200.0, 24, 48),
            known("EPYC 7513", 200.0, 32, 64),
            known("EPYC 7543", 225.0, 32, 64),
            known("EPYC 7643", 225.0, 48, 96),
            known("EPYC 7663", 240.0, 56, 112),
            known("EPYC 7713", 225.0, 64, 128),
            known("EPYC 7763", 280.0, 64, 128),
            known("EPYC 7773X", 280.0, 64, 128),
        ],
    ),
    // Genoa.
    of(
        AMD,
        2022,
        &[
            known("EPYC 9124", 200.0, 16, 32),
            known("EPYC 9224", 200.0, 24, 48),
            known("EPYC 9254", 200.0, 24, 48),
            known("EPYC 9334", 210.0, 32, 64),
            known("EPYC 9354", 280.0, 32, 64),
            known("EPYC 9374F", 320.0, 32, 64),
            known("EPYC 9454", 290.0, 48, 96),
            known("EPYC 9474F", 360.0, 48, 96),
            known("EPYC 9534", 280.0, 64, 128),
            known("EPYC 9554", 360.0, 64, 128),
            known("EPYC 9634", 290.0, 84, 168),
            known("EPYC 9654", 360.0, 96, 192),
        ],
    ),
    // Bergamo, Genoa-X, Siena.
    of(
        AMD,
        2023,
        &[
            known("EPYC 9684X", 400.0, 96, 192),
            known("EPYC 9734", 340.0, 112, 224),
            known("EPYC 9754", 360.0, 128, 256),
            known("EPYC 8024P", 90.0, 8, 16),
            known("EPYC 8324P", 180.0, 32, 64),
            known("EPYC 8534P", 200.0, 64, 128),
        ],
    ),
    // Turin.
    of(
        AMD,
        2024,
        &[
            known("EPYC 9255", 200.0, 24, 48),
            known("EPYC 9335", 210.0, 32, 64),
            known("EPYC 9355", 280.0, 32, 64),
            known("EPYC 9375F", 320.0, 32, 64),
            known("EPYC 9455", 300.0, 48, 96),
            known("EPYC 9475F", 400.0, 48, 96),
            known("EPYC 9535", 300.0, 64, 128),
            known("EPYC 9555", 360.0, 64, 128),
            known("EPYC 9575F", 400.0, 64, 128),
            known("EPYC 9645", 320.0, 96, 192),
            known("EPYC 9655", 400.0, 96, 192),
            known("EPYC 9745", 400.0, 128, 256),
            known("EPYC 9755", 500.0, 128, 256),
            known("EPYC 9825", 390.0, 144, 288),
            known("EPYC 9845", 390.0, 160, 320),
            known("EPYC 9965", 500.0, 192, 384),
        ],
    ),
    // Desktops and workstations.
    of(
        ARK,
        2018,
        &[
            known("i7-6700K", 91.0, 4, 8),
            known("i7-8700K", 95.0, 6, 12),
            known("i9-9900K", 95.0, 8, 16),
        ],
    ),
    of(
        AMD,
        2022,
        &[
            known("Ryzen 5 5600X", 65.0, 6, 12),
            known("Ryzen 7 5800X", 105.0, 8, 16),
            known("Ryzen 9 3900X", 105.0, 12, 24),
            known("Ryzen 9 5950X", 105.0, 16, 32),
            known("Ryzen 9 7950X", 170.0, 16, 32),
            known("Ryzen Threadripper 1950X", 180.0, 16, 32),
            known("Ryzen Threadripper 3970X", 280.0, 32, 64),
        ],
    ),
    // Made for AWS.
    others(
        "Teads, \"AWS EC2 Carbon Footprint Dataset\"",
        2021,
        &[
            known("E5-2686 v4", 145.0, 18, 36),
            known("Platinum 8124M", 240.0, 18, 36),
            known("Platinum 8175M", 240.0, 24, 48),
            known("Platinum 8252C", 240.0, 12, 24),
            known("Platinum 8259CL", 210.0, 24, 48),
            known("Platinum 8275CL", 240.0, 24, 48),
            known("Platinum 8375C", 300.0, 32, 64),
            known("EPYC 7R32", 280.0, 48, 96),
        ],
    ),
    // Made for AWS, Google and Azure.
    others(
        "Boavizta, BoaviztAPI, cpu_specs.csv",
        2026,
        &[
            known("Platinum 8370C", 270.0, 32, 64),
            known("Platinum 8473C", 350.0, 52, 104),
            known("Platinum 8488C", 385.0, 48, 96),
            known("EPYC 7B12", 240.0, 64, 128),
            known("EPYC 7V12", 240.0, 64, 128),
            known("EPYC 7R13", 225.0, 48, 96),
            known("EPYC 7V13", 240.0, 64, 128),
            known("EPYC 7V73X", 280.0, 64, 128),
            // AWS turns their second threads off.
            known("EPYC 9R14", 280.0, 96, 96),
            // Graviton3 and Graviton4.
            known("Neoverse-V1", 220.0, 64, 64),
            known("Neoverse-V2", 300.0, 96, 96),
        ],
    ),
    others(
        "Ampere, Altra Q80-30; Graviton2, of the same cores, has 2.3 W a core instead of 2.6 W (Boavizta, 2026)",
        2020,
        &[known("Neoverse-N1", 210.0, 80, 80)],
    ),
    others(
        "Ampere, AmpereOne: 200 to 350 W, of which the last",
        2023,
        &[known("Ampere-1", 350.0, 192, 192)],
    ),
    others(
        "assumed: the public part of the same generation with as many cores, or with the next number",
        2026,
        &[
            // Sapphire Rapids, as the 8480+.
            known("Platinum 8480C", 350.0, 56, 112),
            known("Platinum 8480CL", 350.0, 56, 112),
            known("Platinum 8481C", 350.0, 56, 112),
            // Emerald Rapids, as the 8580.
            known("Platinum 8581C", 350.0, 60, 120),
            // Genoa, as the 9654.
            known("EPYC 9B14", 360.0, 96, 192),
            known("EPYC 9V74", 360.0, 80, 160),
            // Genoa-X, as the 9684X.
            known("EPYC 9V33X", 400.0, 96, 192),
            // Turin, as the 9655; AWS turns the second threads off.
            known("EPYC 9B45", 400.0, 96, 192),
            known("EPYC 9R45", 400.0, 96, 96),
        ],
    ),
];

/// Every processor, with the origin of its figures.
pub(super) fn all() -> impl Iterator<Item = (&'static Known, &'static Origin)> {
    ORIGINS.iter().flat_map(|origin| origin.processors.iter().map(move |known| (known, origin)))
}

/// The processor of this `model name`.
pub(super) fn find(name: &str) -> Option<(&'static Known, &'static Origin)> {
    let name = name.to_ascii_lowercase();
    all().find(|(known, _)| {
        let wanted = known.name.to_ascii_lowercase();
        name.match_indices(&wanted).any(|(start, found)| {
            let rest = &name[start + found.len()..];
            let one_socket = rest.strip_prefix('p').filter(|_| wanted.starts_with("epyc"));
            [Some(rest), one_socket].into_iter().flatten().any(ends_word)
        })
    })
}

fn ends_word(rest: &str) -> bool {
    rest.chars().next().is_none_or(|next| !next.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_found_whole() {
        let tdp = |name| find(name).map(|(known, _)| known.tdp);
        assert_eq!(tdp("Intel(R) Xeon(R) CPU E3-1240 V2 @ 3.40GHz"), Some(69.0));
        assert_eq!(tdp("AMD EPYC 8024P 8-Core Processor"), Some(90.0));
        assert_eq!(tdp("Intel(R) Xeon(R) Platinum 8480+"), Some(350.0));
        assert_eq!(tdp("INTEL(R) XEON(R) PLATINUM 8581C CPU @ 2.60GHz"), Some(350.0));
        assert_eq!(tdp("Intel(R) Xeon(R) 6980P"), Some(500.0));
        assert_eq!(tdp("AMD EPYC 9654P 96-Core Processor"), Some(360.0), "for one socket");
        assert_eq!(tdp("Arm Neoverse-V2"), Some(300.0));
        assert_eq!(tdp("Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz"), Some(150.0));
        // Another processor.
        assert_eq!(tdp("Intel(R) Xeon(R) Gold 6248R CPU @ 3.00GHz"), Some(205.0));
        for unknown in
            ["Intel(R) Xeon(R) Processor", "AMD EPYC", "AMD EPYC 9654X", "Arm Neoverse-N3"]
        {
            assert_eq!(tdp(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn every_processor_is_there_once_with_a_source_and_possible_figures() {
        let mut names = BTreeSet::new();
        for (known, origin) in all() {
            assert!(names.insert(known.name), "{} is there twice", known.name);
            assert!(origin.source.len() > 5 && (2012..=2026).contains(&origin.year));
            assert!(known.threads == known.cores || known.threads == 2 * known.cores, "{known:?}");
            let each = known.tdp / f64::from(known.threads);
            assert!((1.0..12.0).contains(&each), "{known:?}: {each} W a logical processor");
        }
    }
}
