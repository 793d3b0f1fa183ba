//! What processors were seen to draw: the figures that the model is fitted to and tried on.
//!
//! * Four machines, package power from RAPL, 30 s a point: `CodeCarbon`'s load profiling
//!   (github.com/mlco2/codecarbon, January 2025, MIT licence). Watts are a row's *energy* over its
//!   duration, as the power column of a row repeats the row before; the clock is the mean over the
//!   logical processors. The highest clocks are the makers' (ark.intel.com, amd.com). A second profile of the E3, with
//!   twice the power of the first, is left out: it counts the cores beside the package that contains them.
//! * The mean profile of seven AWS bare-metal Xeon types under stress, as a share of TDP, from RAPL
//!   (Davy, "Building an AWS EC2 carbon emissions dataset", Teads, 2021). It gives no clock.

/// A processor, or the mean of several, and its points.
pub(super) struct Machine {
    /// As in `/proc/cpuinfo`, or what the mean is of.
    pub(super) name: &'static str,
    /// Thermal design power, watts.
    pub(super) tdp: f64,
    /// Highest clock, MHz.
    pub(super) top_clock: f64,
    pub(super) logical: f64,
    pub(super) points: &'static [Point],
}

/// One level of load.
pub(super) struct Point {
    /// Busy share of all logical processors, 0 to 1.
    pub(super) load: f64,
    pub(super) watts: f64,
    /// Mean clock, MHz.
    pub(super) clock: f64,
    /// Logical processors over which the load was spread.
    pub(super) on: f64,
}

const fn at(load: f64, watts: f64, clock: f64, on: f64) -> Point {
    Point { load, watts, clock, on }
}

pub(super) static MACHINES: [Machine; 5] = [
    Machine {
        name: "AMD EPYC 8024P 8-Core Processor",
        tdp: 90.0,
        top_clock: 3000.0,
        logical: 16.0,
        points: &[
            // All logical processors loaded.
            at(0.006, 18.26, 1588.8, 16.0),
            at(0.100, 29.20, 1499.2, 16.0),
            at(0.200, 38.56, 1710.9, 16.0),
            at(0.300, 41.71, 2275.4, 16.0),
            at(0.403, 43.07, 2005.8, 16.0),
            at(0.500, 47.57, 2995.4, 16.0),
            at(0.646, 48.70, 2995.1, 16.0),
            at(0.702, 49.24, 2995.4, 16.0),
            at(0.800, 50.87, 2995.1, 16.0),
            at(0.894, 46.07, 2995.3, 16.0),
            at(1.000, 46.25, 2960.1, 16.0),
            // Some logical processors loaded.
            at(0.000, 17.68, 1573.7, 16.0),
            at(0.068, 37.55, 1674.0, 1.0),
            at(0.186, 41.59, 1875.3, 3.0),
            at(0.248, 43.46, 1917.4, 4.0),
            at(0.373, 47.15, 2390.9, 6.0),
            at(0.503, 49.33, 2578.0, 8.0),
            at(0.562, 49.88, 2553.0, 9.0),
            at(0.716, 51.30, 2786.4, 11.0),
            at(0.781, 45.57, 2864.9, 12.0),
            at(0.875, 46.50, 2994.8, 14.0),
            at(1.000, 46.74, 2953.2, 16.0),
        ],
    },
    Machine {
        name: "Intel(R) Xeon(R) CPU E3-1240 V2 @ 3.40GHz",
        tdp: 69.0,
        top_clock: 3800.0,
        logical: 8.0,
        points: &[
            // All logical processors loaded.
            at(0.025, 5.46, 1599.3, 8.0),
            at(0.125, 6.83, 1599.3, 8.0),
            at(0.218, 8.11, 1615.9, 8.0),
            at(0.325, 9.44, 1608.7, 8.0),
            at(0.412, 14.07, 1774.7, 8.0),
            at(0.513, 23.95, 3691.4, 8.0),
            at(0.608, 29.50, 3203.5, 8.0),
            at(0.713, 44.50, 3592.1, 8.0),
            at(0.802, 47.16, 3594.7, 8.0),
            at(0.889, 48.37, 3591.7, 8.0),
            at(1.000, 49.41, 3591.8, 8.0),
            // Some logical processors loaded.
            at(0.025, 5.67, 1622.4, 8.0),
            at(0.137, 21.06, 2909.2, 1.0),
            at(0.253, 29.37, 3154.8, 2.0),
            at(0.388, 36.63, 3379.6, 3.0),
            at(0.500, 42.76, 3093.7, 4.0),
            at(0.608, 44.52, 3591.6, 5.0),
            at(0.762, 46.78, 3342.8, 6.0),
            at(0.887, 47.67, 3591.8, 7.0),
            at(1.000, 49.65, 3591.8, 8.0),
        ],
    },
    Machine {
        name: "mean of AWS bare-metal Xeons",
        tdp: 1.0,
        // Not published: taken as full, for what tries the clock.
        top_clock: 1.0,
        logical: 1.0,
        points: &[
            at(0.0, 0.12, 1.0, 1.0),
            at(0.1, 0.32, 1.0, 1.0),
            at(0.5, 0.75, 1.0, 1.0),
            at(1.0, 1.02, 1.0, 1.0),
        ],
    },
    Machine {
        name: "AMD Ryzen Threadripper 1950X 16-Core Processor",
        tdp: 180.0,
        top_clock: 4000.0,
        logical: 32.0,
        points: &[
            // All logical processors loaded.
            at(0.028, 42.66, 2332.9, 32.0),
            at(0.139, 62.02, 2398.1, 32.0),
            at(0.232, 78.33, 2525.6, 32.0),
            at(0.364, 105.61, 2797.6, 32.0),
            at(0.448, 127.58, 2821.1, 32.0),
            at(0.531, 143.25, 2987.1, 32.0),
            at(0.660, 172.51, 3690.6, 32.0),
            at(0.721, 170.36, 3576.5, 32.0),
            at(0.831, 169.24, 3418.6, 32.0),
            at(0.917, 166.89, 3357.2, 32.0),
            at(0.997, 167.09, 3323.4, 32.0),
            // Some logical processors loaded.
            at(0.050, 44.38, 2404.5, 32.0),
            at(0.122, 75.67, 2470.5, 3.0),
            at(0.229, 92.44, 2782.8, 6.0),
            at(0.322, 122.30, 2985.7, 9.0),
            at(0.414, 146.48, 3206.8, 12.0),
            at(0.520, 174.71, 3497.2, 16.0),
            at(0.640, 173.43, 3411.5, 19.0),
            at(0.731, 169.56, 3552.4, 22.0),
            at(0.801, 167.46, 3314.5, 25.0),
            at(0.925, 166.11, 3611.7, 28.0),
            at(1.000, 165.32, 3399.3, 32.0),
        ],
    },
    Machine {
        name: "2 × Intel(R) Xeon(R) CPU E5-2620 v3 @ 2.40GHz",
        tdp: 170.0,
        top_clock: 3200.0,
        logical: 24.0,
        points: &[
            // All logical processors loaded.
            at(0.000, 15.91, 1666.7, 24.0),
            at(0.100, 30.74, 1395.9, 24.0),
            at(0.200, 38.20, 1200.1, 24.0),
            at(0.300, 44.72, 1200.1, 24.0),
            at(0.405, 62.18, 1359.4, 24.0),
            at(0.502, 61.49, 1675.2, 24.0),
            at(0.600, 75.76, 2081.6, 24.0),
            at(0.699, 111.75, 2600.3, 24.0),
            at(0.808, 115.75, 2606.1, 24.0),
            at(0.897, 117.42, 2566.9, 24.0),
            at(0.996, 104.97, 2400.3, 24.0),
            // Some logical processors loaded.
            at(0.000, 15.70, 1479.2, 24.0),
            at(0.087, 34.61, 1316.7, 2.0),
            at(0.170, 39.51, 1212.5, 4.0),
            at(0.290, 49.53, 1361.3, 7.0),
            at(0.379, 49.94, 1200.1, 9.0),
            at(0.500, 66.98, 1254.2, 12.0),
            at(0.587, 71.54, 1400.1, 14.0),
            at(0.667, 71.91, 1458.4, 16.0),
            at(0.792, 75.64, 1721.1, 19.0),
            at(0.875, 79.05, 1712.7, 21.0),
            at(1.000, 96.27, 2250.2, 24.0),
        ],
    },
];
