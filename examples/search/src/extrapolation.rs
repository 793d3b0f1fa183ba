//! What others said that the published search cost, and what their rules say of as many steps.
//!
//! Strubell et al. (2019) took the search's 979 million steps for steps of the big model on eight P100. Patterson et
//! al. (2021, appendix D) found that they were steps of a smaller one on a single chip: 18.7 times less. With the
//! authors' own TPUs and data centre it is 88 times less.

use ergometer::footprint::{Site, strubell::Training};
use ergometer::units::{KilowattHours, Watts};

/// Training steps of the published search (So et al., 2019, quoted by Strubell et al., section 2.1).
pub const PUBLISHED_STEPS: f64 = 979e6;
/// Pounds in a kilogram.
const POUND: f64 = 0.453_592_37;

/// Hours of one TPU v2 chip for 100,000 steps of the search's own model (Patterson et al., 2021, appendix D).
const HOURS_PER_100K: f64 = 12.0;
/// Pounds of CO2e of an hour of such a chip in an average data centre (the same: 208 W, PUE 1.58, US average).
const POUNDS_PER_CHIP_HOUR: f64 = 0.285_529_74;
/// The same of the search's own data centre: 200 chips of 208 W for 6.8 days, PUE 1.10, 0.431 kg/kWh.
const OWN_KWH: f64 = 6.8 * 24.0 * 200.0 * 208.0 * 1.10 / 1000.0;
const OWN_KG_PER_KWH: f64 = 0.431;

/// What a rule says of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extrapolation {
    /// Whose rule, and what it takes a step for.
    pub rule: &'static str,
    /// By how much it is below Strubell's.
    pub divisor: f64,
    /// Energy of the building, kWh; `None` where the rule names none.
    pub facility_kwh: Option<f64>,
    /// Greenhouse gases, kilograms of CO2 equivalent.
    pub co2e_kg: f64,
}

/// What the three rules say of a search of `steps` steps, Strubell's first. `None` if the paper's row is not known.
pub fn of_steps(steps: f64) -> Option<[Extrapolation; 3]> {
    let share = steps / PUBLISHED_STEPS;
    let row = Training::find("NAS", "P100x8")?;
    let site = Site::strubell2019();
    let kwh = |power: Watts, hours: f64| {
        site.facility_energy(power, std::time::Duration::from_secs_f64(hours * 3600.0)).get()
    };
    let big = kwh(row.power?, row.hours) * share;
    let big_kg = site.co2e(KilowattHours::new(big)).kilograms();
    let chip_hours = steps / 1e5 * HOURS_PER_100K;
    let average_kg = chip_hours * POUNDS_PER_CHIP_HOUR * POUND;
    let own_kg = OWN_KWH * OWN_KG_PER_KWH * share;
    let rule = |rule, facility_kwh, co2e_kg| Extrapolation {
        rule,
        divisor: big_kg / co2e_kg,
        facility_kwh,
        co2e_kg,
    };
    Some([
        rule("Strubell et al. 2019: the big model on 8 P100", Some(big), big_kg),
        rule(
            "Patterson et al. 2021: the search's model on one chip, average data centre",
            None,
            average_kg,
        ),
        rule(
            "Patterson et al. 2021: the same in the search's own data centre",
            Some(OWN_KWH * share),
            own_kg,
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_search_costs_what_each_of_them_said() {
        let [strubell, average, own] = of_steps(PUBLISHED_STEPS).unwrap();
        let pounds = |one: &Extrapolation| one.co2e_kg / POUND;
        assert!((pounds(&strubell) - 626_155.3).abs() < 0.1, "{strubell:?}");
        assert!((strubell.facility_kwh.unwrap() - 656_347.3).abs() < 0.1, "{strubell:?}");
        assert!((pounds(&average) - 33_544.0).abs() < 1.0, "{average:?}");
        assert!((own.co2e_kg - 3218.0).abs() < 2.0, "{own:?}");
        assert!((own.facility_kwh.unwrap() - 7500.0).abs() < 50.0, "{own:?}");
        let divisors = [strubell, average, own].map(|one| one.divisor);
        for (divisor, said) in divisors.into_iter().zip([1.0, 18.7, 88.0]) {
            assert!((divisor / said - 1.0).abs() < 0.005, "{divisor}");
        }
    }

    #[test]
    fn half_the_steps_cost_half() {
        let [all, half] =
            [PUBLISHED_STEPS, PUBLISHED_STEPS / 2.0].map(|steps| of_steps(steps).unwrap());
        for (all, half) in all.iter().zip(&half) {
            assert!((all.co2e_kg / half.co2e_kg - 2.0).abs() < 1e-9);
            assert!((all.divisor - half.divisor).abs() < 1e-9);
        }
    }
}
