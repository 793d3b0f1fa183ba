//! Properties of merging arbitrary ranks.

use proptest::prelude::*;

use super::*;
use crate::record::{SpanNode, Steps};

/// Ranks of up to three machines with boards and packages, some of them shared, of arbitrary powers, that
/// begin and end at any time and have consecutive epochs.
fn ranks() -> impl Strategy<Value = Vec<Script>> {
    let domain = (0..5_u32, 1.0..500.0).prop_map(|(device, watts)| match device {
        0 => ("rapl:package-0".to_owned(), DomainKind::CpuPackage, Method::Counter, watts),
        1 => ("cpu-model:dram".to_owned(), DomainKind::Dram, Method::Modelled, watts),
        2 => ("rapl:package-1/process".to_owned(), DomainKind::CpuPackage, Method::Modelled, watts),
        _ => (format!("nvml:GPU-{device}"), DomainKind::Gpu, Method::Counter, watts),
    });
    let cuts = prop::collection::vec(0.0..1.0_f64, 0..9);
    let one = (0..3_u32, 0.0..20.0, 1.0..50.0, prop::collection::vec(domain, 0..4), cuts);
    prop::collection::vec(one, 2..6).prop_map(|ranks| {
        let count = u32::try_from(ranks.len()).unwrap();
        let scripts = ranks.into_iter().zip(0..).map(|(rank, number)| {
            let (machine, start, seconds, mut domains, mut cuts) = rank;
            domains.sort_by(|a, b| a.0.cmp(&b.0));
            domains.dedup_by(|a, b| a.0 == b.0);
            cuts.sort_by(f64::total_cmp);
            let epochs = cuts.chunks_exact(2).enumerate().map(|(index, pair)| {
                let split = if index % 2 == 0 { "train" } else { "valid" };
                (split, pair[0] * seconds, pair[1] * seconds)
            });
            let epochs = epochs.filter(|(_, begin, end)| begin < end).collect();
            let rank = Script::new(number, count, seconds).on(machine).from(start);
            Script { domains, epochs, ..rank }
        });
        scripts.collect()
    })
}

/// Σ epochs + outside = total and Σ steps + between steps = epoch in each domain, and no energy is
/// negative.
fn conserved(record: &Record) {
    for (index, row) in record.domains.iter().enumerate() {
        let of = |usage: &Usage| usage.by_domain[index].map_or(0.0, |energy| energy.joules.get());
        let epochs: f64 = record.epochs.iter().map(|epoch| of(&epoch.usage)).sum();
        close(epochs + record.outside_epochs[index].get(), of(&record.total));
        assert!(record.outside_epochs[index].get() > -1e-6, "{record:?}");
        assert_eq!(row.energy, record.total.by_domain[index]);
        for epoch in &record.epochs {
            let steps = epoch.steps.as_ref().map_or(0.0, |steps| steps.by_domain[index].get());
            close(steps + epoch.between_steps[index].get(), of(&epoch.usage));
        }
    }
    for (split, steps) in record.steps.iter().filter(|(split, _)| !split.contains('@')) {
        let epochs = record.epochs.iter().filter(|epoch| epoch.split == *split);
        let inside: Vec<&Steps> = epochs.filter_map(|epoch| epoch.steps.as_ref()).collect();
        assert_eq!(inside.iter().map(|steps| steps.count).sum::<u64>(), steps.count);
        for (index, joules) in steps.by_domain.iter().enumerate() {
            close(inside.iter().map(|steps| steps.by_domain[index].get()).sum(), joules.get());
        }
    }
}

fn nested(nodes: &[SpanNode], around: &[f64]) {
    for (index, around) in around.iter().enumerate() {
        let inner: f64 = nodes.iter().map(|node| node.by_domain[index].get()).sum();
        assert!(inner <= around + 1e-6 * (1.0 + around), "{inner} J in {around} J");
    }
    for node in nodes {
        let own: Vec<f64> = node.by_domain.iter().map(|joules| joules.get()).collect();
        nested(&node.children, &own);
    }
}

proptest! {
    #[test]
    fn a_merged_record_adds_up(scripts in ranks()) {
        let run = merged(&scripts);
        conserved(&run);
        let whole = |energy: &Option<Energy>| energy.map_or(0.0, |energy| energy.joules.get());
        let wholes: Vec<f64> = run.total.by_domain.iter().map(whole).collect();
        nested(&run.spans, &wholes);
        if let Some(total) = run.total.energy {
            prop_assert!((0.0..=1.0).contains(&total.coverage));
            close(wholes.iter().sum(), total.joules.get());
        }
    }

    #[test]
    fn the_order_of_the_records_does_not_matter(
        (scripts, turned) in ranks().prop_flat_map(|s| (Just(s.clone()), Just(s).prop_shuffle()))
    ) {
        prop_assert_eq!(merged(&scripts), merged(&turned));
    }

    #[test]
    fn one_record_stays_as_it_is(scripts in ranks()) {
        let record = scripts[0].record();
        let mut run = merged(&scripts[..1]);
        prop_assert_eq!(run.ranks.len(), 1);
        prop_assert!(run.run.rank.is_none());
        run.run.rank = record.run.rank.clone();
        run.ranks.clear();
        run.warnings.clear();
        prop_assert_eq!(run, record);
    }

    #[test]
    fn a_record_of_no_device_adds_nothing(scripts in ranks()) {
        let record = scripts[0].record();
        let count = scripts.len();
        let (start, seconds) = (scripts[0].start, scripts[0].seconds);
        let nothing = Script::new(1, u32::try_from(count).unwrap(), seconds).from(start);
        let nothing = nothing.on(scripts[0].machine);
        let run = merged(&[scripts[0].clone(), nothing]);
        prop_assert_eq!(&run.total, &record.total);
        for (row, own) in run.domains.iter().zip(&record.domains) {
            prop_assert_eq!((&row.domain, row.energy), (&own.domain, own.energy));
        }
        prop_assert_eq!(&run.footprint, &record.footprint);
        prop_assert_eq!(&run.outside_epochs, &record.outside_epochs);
    }

    #[test]
    fn devices_of_their_own_add_up(scripts in ranks()) {
        let apart: Vec<Script> =
            scripts.into_iter().zip(0..).map(|(script, machine)| script.on(machine)).collect();
        let run = merged(&apart);
        let each = apart.iter().map(|script| {
            let watts: f64 = script.domains.iter().map(|(.., watts)| watts).sum();
            watts * script.seconds
        });
        let all = run.total.energy.map_or(0.0, |energy| energy.joules.get());
        close(all, each.sum());
    }

    #[test]
    fn a_device_of_all_counts_once(scripts in ranks(), watts in 1.0..500.0) {
        // Consecutive ranks leave no time between them without a meter.
        let same: Vec<Script> = scripts
            .into_iter()
            .map(|script| Script { domains: Vec::new(), start: script.start / 20.0, ..script })
            .map(|script| script.on(0).gpu("nvml:GPU-0", watts))
            .collect();
        let run = merged(&same);
        let start = same.iter().map(|script| script.start).fold(f64::INFINITY, f64::min);
        let end = same.iter().map(|script| script.start + script.seconds).fold(0.0, f64::max);
        close(joules(&run), watts * (end - start));
        close(run.total.energy.unwrap().coverage, 1.0);
        conserved(&run);
    }

    #[test]
    fn a_merged_record_is_read_back_as_it_was(scripts in ranks()) {
        let run = merged(&scripts);
        prop_assert_eq!(Record::from_json(&run.to_json().unwrap()).unwrap(), run.clone());
        prop_assert!(run.to_csv().is_ok() && !run.to_markdown().is_empty());
    }
}
