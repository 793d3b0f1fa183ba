//! What kind of board it is, and what boards of a generation have in common.

use super::{BadSetting, Board, MS, Sensor, bad};

/// What kind of board it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// `nvmlDeviceGetArchitecture`.
    pub architecture: Architecture,
    /// `nvmlDeviceGetBrand`.
    pub brand: Brand,
    /// CUDA compute capability.
    pub compute: (i32, i32),
    /// Persistence mode is on.
    pub persistence: bool,
    /// It is a share of a board in a virtual machine: nothing but its identity can be read.
    pub vgpu: bool,
}

impl Default for Product {
    fn default() -> Self {
        Self {
            architecture: Architecture::Unknown,
            brand: Brand::Unknown,
            compute: (0, 0),
            persistence: true,
            vgpu: false,
        }
    }
}

/// Architecture of a board; its value is NVML's number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Architecture {
    Pascal = 4,
    Volta = 5,
    Turing = 6,
    Ampere = 7,
    Ada = 8,
    Hopper = 9,
    Unknown = u32::MAX,
}

/// Brand of a board; its value is NVML's number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Brand {
    Unknown = 0,
    Quadro = 1,
    Tesla = 2,
    GeForce = 5,
    Nvidia = 14,
}

impl Architecture {
    pub(super) fn named(text: &str) -> Result<Self, BadSetting> {
        Ok(match text {
            "pascal" => Self::Pascal,
            "volta" => Self::Volta,
            "turing" => Self::Turing,
            "ampere" => Self::Ampere,
            "ada" => Self::Ada,
            "hopper" => Self::Hopper,
            "unknown" => Self::Unknown,
            _ => return Err(bad(text, "is no architecture")),
        })
    }
}

impl Brand {
    pub(super) fn named(text: &str) -> Result<Self, BadSetting> {
        Ok(match text {
            "unknown" => Self::Unknown,
            "quadro" => Self::Quadro,
            "tesla" => Self::Tesla,
            "geforce" => Self::GeForce,
            "nvidia" => Self::Nvidia,
            _ => return Err(bad(text, "is no brand")),
        })
    }
}

/// What boards of one kind have in common; update periods and averaging windows as measured by
/// Yang, Adamek and Armour, <https://arxiv.org/abs/2312.02741>, for a driver later than 530.
pub(super) struct Generation {
    name: &'static str,
    product: Product,
    /// Periods and windows, milliseconds: of `power`, `usage`, `average`.
    sensors: [Option<(u64, u64)>; 3],
    counter_ms: Option<u64>,
    limit: f64,
}

const SLOW: Option<(u64, u64)> = Some((100, 1000));
const QUARTER: Option<(u64, u64)> = Some((100, 25));
const HALF: Option<(u64, u64)> = Some((20, 10));

const fn product(architecture: Architecture, brand: Brand, compute: (i32, i32)) -> Product {
    Product { architecture, brand, compute, persistence: true, vgpu: false }
}

impl Generation {
    pub(super) fn named(text: &str) -> Result<Self, BadSetting> {
        Ok(match text {
            "h100" => Self {
                name: "NVIDIA H100 80GB HBM3",
                product: product(Architecture::Hopper, Brand::Nvidia, (9, 0)),
                sensors: [QUARTER, SLOW, SLOW],
                counter_ms: Some(100),
                limit: 700.0,
            },
            "a100" => Self {
                name: "NVIDIA A100-SXM4-80GB",
                product: product(Architecture::Ampere, Brand::Nvidia, (8, 0)),
                sensors: [QUARTER, QUARTER, None],
                counter_ms: Some(100),
                limit: 400.0,
            },
            "v100" => Self {
                name: "Tesla V100-SXM2-32GB",
                product: product(Architecture::Volta, Brand::Tesla, (7, 0)),
                sensors: [HALF, HALF, None],
                counter_ms: Some(20),
                limit: 300.0,
            },
            "rtx" => Self {
                name: "NVIDIA GeForce RTX 3090",
                product: product(Architecture::Ampere, Brand::GeForce, (8, 6)),
                sensors: [None, SLOW, SLOW],
                counter_ms: Some(100),
                limit: 350.0,
            },
            "pascal" => Self {
                name: "Tesla P100-SXM2-16GB",
                product: product(Architecture::Pascal, Brand::Tesla, (6, 0)),
                sensors: [HALF, HALF, None],
                counter_ms: None,
                limit: 300.0,
            },
            "vgpu" => Self {
                name: "GRID A100X-8C",
                product: Product {
                    vgpu: true,
                    ..product(Architecture::Ampere, Brand::Nvidia, (8, 0))
                },
                sensors: [None; 3],
                counter_ms: None,
                limit: 0.0,
            },
            _ => return Err(bad(text, "is no generation")),
        })
    }

    /// Makes `board` one of this kind.
    pub(super) fn preset(self, board: &mut Board) {
        let sensor = |(period, window)| Sensor {
            period_ns: period * MS,
            window_ns: window * MS,
            phase_ns: 0,
        };
        self.name.clone_into(&mut board.name);
        board.product = self.product;
        [board.power, board.usage, board.average] = self.sensors.map(|periods| periods.map(sensor));
        board.counter_ns = self.counter_ms.map(|millis| millis * MS);
        board.limit = self.limit;
    }
}
