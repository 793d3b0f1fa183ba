//! `ergometer grafana`: every query against what the exporter really writes, and against the readers that there are
//! here: Prometheus' `promtool`, and Grafana's Python package.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use ergometer::source::DomainKind;
use ergometer::span::Label;
use ergometer::units::Watts;
use ergometer::{Kind, Meter};
use serde_json::Value;

use crate::program::{argument, json, prints, text, wait_for};
use crate::python::python;

/// The metrics that a meter exports, each with its labels.
fn exported() -> BTreeMap<String, BTreeSet<String>> {
    let meter = Meter::builder()
        .label("dashboard")
        .rank(0, 2)
        .without_probe()
        .fixed(DomainKind::Gpu, Watts::new(300.0))
        .prometheus(0)
        .start()
        .unwrap();
    let address = meter.prometheus().unwrap();
    meter.enter(Label::new(Kind::Step, "step").with_unit("tokens")).items(7_u8);
    wait_for("the energy of a step", || {
        let mut stream = TcpStream::connect(address).ok()?;
        let request = format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        let complete = ["ergometer_items_total{", "ergometer_power_watts{"];
        complete.iter().all(|name| body.contains(name)).then(|| series(body))
    })
}

fn series(body: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut metrics = BTreeMap::<String, BTreeSet<String>>::new();
    for line in body.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_once('{').unwrap();
        let labels = rest.split("=\"").filter_map(|part| part.rsplit(['{', ',', '"']).next());
        let labels = labels.filter(|label| !label.is_empty() && !label.contains(['}', ' ']));
        metrics.entry(name.to_owned()).or_default().extend(labels.map(str::to_owned));
    }
    metrics
}

/// The words of a query that are names of metrics, each with the labels that its selector names.
fn metrics(query: &str) -> Vec<(String, Vec<String>)> {
    let starts = query.match_indices("ergometer_").map(|(at, _)| &query[at..]);
    let one = |rest: &str| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let selector = rest[end..].strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let labels = selector.map_or("", |(selector, _)| selector).split(',');
        let labels = labels.filter_map(|part| part.split_once(['=', '!'])).map(|(label, _)| label);
        (rest[..end].to_owned(), labels.map(str::to_owned).collect())
    };
    starts.map(one).collect()
}

/// The names between `{{` and `}}`.
fn placeholders(legend: &str) -> impl Iterator<Item = &str> {
    legend.split("{{").skip(1).filter_map(|rest| rest.split("}}").next())
}

#[test]
fn every_query_names_metrics_and_labels_that_the_exporter_writes_and_none_is_left_out() {
    let exported = exported();
    let dashboard = json(&["grafana"]);
    let mut used = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            let found = metrics(query);
            assert!(!found.is_empty(), "{query}");
            let mut labels = BTreeSet::new();
            for (name, selected) in found {
                let its = exported.get(&name).unwrap_or_else(|| panic!("{name} in {query}"));
                // `machine` is there where the machine has an identity.
                for label in selected {
                    assert!(
                        label == "machine" || its.contains(&label),
                        "{label} of {name}: {its:?}"
                    );
                }
                labels.extend(its.iter().map(String::as_str));
                used.insert(name);
            }
            for label in placeholders(target["legendFormat"].as_str().unwrap()) {
                let known = label == "machine" || labels.contains(label);
                assert!(known, "{label} in the legend of {query}");
            }
        }
    }
    let all: BTreeSet<String> = exported.into_keys().collect();
    assert_eq!(used, all, "a metric is in no panel");
    for choice in dashboard["templating"]["list"].as_array().unwrap() {
        let query = choice["query"]["query"].as_str().unwrap_or_default();
        for (name, _) in metrics(query) {
            assert!(all.contains(&name), "{name} in {query}");
        }
    }
}

#[test]
fn the_dashboard_has_what_grafana_requires() {
    let dashboard = json(&["grafana"]);
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 36);
    for (field, kind) in [("title", "string"), ("uid", "string"), ("refresh", "string")] {
        assert!(dashboard[field].is_string(), "{field} is not a {kind}");
    }
    // An import gives it an identity of its own.
    assert!(dashboard.get("id").is_none_or(Value::is_null));
    let choices = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = choices.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["datasource", "run", "machine"]);
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut cells = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        assert!(["timeseries", "stat", "table"].contains(&panel["type"].as_str().unwrap()));
        let place = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24 && place("h") > 0, "{panel}");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(cells.insert((x, y)), "two panels at {x}, {y}");
            }
        }
        let targets = panel["targets"].as_array().unwrap();
        let letters: BTreeSet<&str> =
            targets.iter().map(|target| target["refId"].as_str().unwrap()).collect();
        assert_eq!(letters.len(), targets.len());
        for source in targets.iter().chain([panel]).map(|one| &one["datasource"]) {
            assert_eq!(source["uid"], "${datasource}");
        }
        for target in targets {
            let query = target["expr"].as_str().unwrap();
            let variables = query.split('$').skip(1).map(|rest| {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                &rest[..end.unwrap_or(rest.len())]
            });
            for variable in variables {
                let known =
                    names.contains(&variable) || ["__rate_interval", "__range"].contains(&variable);
                assert!(known, "${variable} in {query}");
            }
        }
    }
}

#[test]
fn promtool_reads_every_query() {
    let dashboard = json(&["grafana"]);
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let mut rules = String::from("groups:\n- name: dashboard\n  rules:\n");
    for (index, target) in targets.enumerate() {
        let query = target["expr"].as_str().unwrap();
        let query = query.replace("$__rate_interval", "1m").replace("$__range", "1h");
        let query = query.replace("$run", ".*").replace("$machine", ".*");
        let query = Value::from(query);
        rules = format!("{rules}  - record: query_{index}\n    expr: {query}\n");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yml");
    fs::write(&path, rules).unwrap();
    match Command::new("promtool").args(["check", "rules", argument(&path)]).output() {
        Err(_) => eprintln!("not checked: there is no promtool here"),
        Ok(output) => {
            assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        }
    }
}

#[test]
fn grafanas_own_package_reads_the_dashboard() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dashboard.json");
    fs::write(&path, prints(&["grafana"])).unwrap();
    let program = "import sys, json\n\
        from grafana_foundation_sdk.models.dashboard import Dashboard\n\
        from grafana_foundation_sdk.cog.plugins import register_default_plugins\n\
        register_default_plugins()\n\
        from grafana_foundation_sdk.cog.encoder import JSONEncoder\n\
        read = Dashboard.from_json(json.load(open(sys.argv[1])))\n\
        print(JSONEncoder().encode(read))";
    let Some(read) = python("grafana_foundation_sdk", program, &[argument(&path)]) else { return };
    let read: Value = serde_json::from_str(&read).unwrap();
    let written = json(&["grafana"]);
    let of = |dashboard: &Value| -> Vec<(Value, Value, Value)> {
        let panels = dashboard["panels"].as_array().unwrap().iter();
        panels
            .map(|panel| {
                let queries = panel["targets"].as_array().unwrap().iter();
                let queries = queries.map(|target| target["expr"].clone()).collect();
                (panel["type"].clone(), panel["gridPos"].clone(), Value::Array(queries))
            })
            .collect()
    };
    assert_eq!(of(&read), of(&written), "it loses what it does not know");
}
