//! `ergometer grafana`: a dashboard for the figures that a meter shows Prometheus.

use serde_json::{Value, json};

use crate::outcome::{Outcome, Stop};

/// Print a Grafana dashboard for the figures that `.prometheus(...)` exports
///
/// Import the JSON under Dashboards > New > Import. It asks for a Prometheus data source, and has choices of run and
/// machine.
#[derive(Debug, clap::Args)]
pub struct Grafana {}

impl Grafana {
    #[expect(clippy::unused_self, reason = "every command is run the same way")]
    pub fn run(self) -> Result<Outcome, Stop> {
        Outcome::json(&dashboard())
    }
}

/// Grafana's grid has this many columns.
const COLUMNS: u32 = 24;
/// Version of the dashboard's schema: that of Grafana 11, which later versions migrate.
const SCHEMA: u32 = 39;

/// The series of the chosen runs.
const CHOSEN: &str = r#"run=~"$run",machine=~"$machine""#;

/// A panel: its title, what it explains, its unit, and its queries with their legends.
struct Panel {
    kind: &'static str,
    title: &'static str,
    description: &'static str,
    unit: &'static str,
    queries: Vec<(String, &'static str)>,
    width: u32,
    height: u32,
}

impl Panel {
    /// A curve.
    fn graph(
        title: &'static str,
        description: &'static str,
        unit: &'static str,
        queries: Vec<(String, &'static str)>,
    ) -> Self {
        Self { kind: "timeseries", title, description, unit, queries, width: 12, height: 9 }
    }

    /// A single figure.
    fn figure(
        title: &'static str,
        description: &'static str,
        unit: &'static str,
        query: String,
        legend: &'static str,
    ) -> Self {
        let queries = vec![(query, legend)];
        Self { kind: "stat", title, description, unit, queries, width: 4, height: 4 }
    }

    /// Labels and values as rows.
    fn table(title: &'static str, description: &'static str, query: String) -> Self {
        let queries = vec![(query, "")];
        Self { kind: "table", title, description, unit: "none", queries, width: 12, height: 9 }
    }

    fn json(&self, id: usize, (x, y): (u32, u32)) -> Value {
        let letters = ["A", "B", "C"];
        let targets: Vec<Value> = self
            .queries
            .iter()
            .zip(letters)
            .map(|((expr, legend), letter)| {
                let mut target = json!({
                    "refId": letter,
                    "datasource": datasource(),
                    "editorMode": "code",
                    "expr": expr,
                    "legendFormat": legend,
                    "range": self.kind == "timeseries",
                    "instant": self.kind != "timeseries",
                });
                if self.kind == "table" {
                    target["format"] = json!("table");
                }
                target
            })
            .collect();
        let mut panel = json!({
            "id": id,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": datasource(),
            "gridPos": { "x": x, "y": y, "w": self.width, "h": self.height },
            "fieldConfig": { "defaults": { "unit": self.unit }, "overrides": [] },
            "options": {},
            "targets": targets,
        });
        match self.kind {
            "timeseries" => {
                panel["options"] = json!({
                    "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true },
                    "tooltip": { "mode": "multi", "sort": "desc" },
                });
                // A domain that is not observed is a gap, not a line.
                panel["fieldConfig"]["defaults"]["custom"] =
                    json!({ "spanNulls": false, "lineWidth": 1, "fillOpacity": 5 });
                panel["fieldConfig"]["defaults"]["min"] = json!(0);
            }
            "stat" => {
                panel["options"] = json!({
                    "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
                    "textMode": "auto",
                    "colorMode": "none",
                });
            }
            _ => {}
        }
        panel
    }
}

fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// In the order of the dashboard.
fn panels() -> Vec<Panel> {
    [figures(), by_domain(), by_step(), sources_and_runs()].into_iter().flatten().collect()
}

/// A query of the chosen runs.
fn of(query: &str) -> String {
    query.replace("CHOSEN", CHOSEN)
}

fn figures() -> Vec<Panel> {
    vec![
        Panel::figure(
            "Energy in the chosen time",
            "A domain that several processes meter counts once. What was drawn before the first read of a counter is \
             not in it",
            "joule",
            of(
                "sum(max by (machine, domain, program) (increase(ergometer_energy_joules_total{CHOSEN}[$__range])))",
            ),
            "all runs",
        ),
        Panel::figure(
            "Power now",
            "A domain that several processes meter counts once",
            "watt",
            of(
                "sum by (machine) (max by (machine, domain, program) (ergometer_power_watts{CHOSEN}))",
            ),
            "{{machine}}",
        ),
        Panel::figure(
            "Domains observed",
            "Of all that the chosen runs meter",
            "none",
            of("sum(max by (machine, domain, program) (ergometer_domain_observed{CHOSEN}))"),
            "domains",
        ),
        Panel::figure(
            "Energy of the run",
            "With all parts before its interruptions",
            "joule",
            of("ergometer_run_energy_joules_total{CHOSEN}"),
            "{{run}} {{rank}}",
        ),
        Panel::figure(
            "Metered time",
            "Up to which the energy is known, with all parts",
            "s",
            of("ergometer_run_seconds_total{CHOSEN}"),
            "{{run}} {{rank}}",
        ),
        Panel::figure(
            "Parts",
            "More than one of a run that was interrupted and went on",
            "none",
            of("ergometer_run_parts{CHOSEN}"),
            "{{run}} {{rank}}",
        ),
    ]
}

fn by_domain() -> Vec<Panel> {
    vec![
        Panel::graph(
            "Power by domain",
            "Mean over the last second",
            "watt",
            vec![(of("ergometer_power_watts{CHOSEN}"), "{{kind}} {{name}} ({{method}})")],
        ),
        Panel::graph(
            "Energy by domain, with two standard uncertainties",
            "Of this process, since it began",
            "joule",
            vec![
                (of("ergometer_energy_joules_total{CHOSEN}"), "{{kind}} {{name}}"),
                (
                    of(
                        "ergometer_energy_joules_total{CHOSEN} + 2 * ergometer_energy_uncertainty_joules{CHOSEN}",
                    ),
                    "{{kind}} {{name}}, upper end",
                ),
                (
                    of(
                        "ergometer_energy_joules_total{CHOSEN} - 2 * ergometer_energy_uncertainty_joules{CHOSEN}",
                    ),
                    "{{kind}} {{name}}, lower end",
                ),
            ],
        ),
    ]
}

fn by_step() -> Vec<Panel> {
    vec![
        Panel::graph(
            "Energy a step",
            "Each step counts what the machine drew in its time",
            "joule",
            vec![(
                of("rate(ergometer_step_energy_joules_total{CHOSEN}[$__rate_interval]) \
                    / rate(ergometer_steps_total{CHOSEN}[$__rate_interval])"),
                "{{step}}",
            )],
        ),
        Panel::graph(
            "Energy an item",
            "Of the steps whose items are counted",
            "joule",
            vec![(
                of("rate(ergometer_step_energy_joules_total{CHOSEN}[$__rate_interval]) \
                    / ignoring (unit) group_right rate(ergometer_items_total{CHOSEN}[$__rate_interval])"),
                "{{step}}: one of the {{unit}}",
            )],
        ),
        Panel::graph(
            "Steps a second",
            "",
            "ops",
            vec![(of("rate(ergometer_steps_total{CHOSEN}[$__rate_interval])"), "{{step}}")],
        ),
        Panel::graph(
            "Time a step",
            "",
            "s",
            vec![(
                of("rate(ergometer_step_seconds_total{CHOSEN}[$__rate_interval]) \
                    / rate(ergometer_steps_total{CHOSEN}[$__rate_interval])"),
                "{{step}}",
            )],
        ),
    ]
}

fn sources_and_runs() -> Vec<Panel> {
    vec![
        Panel::graph(
            "Domains not observed, and reads that failed",
            "1 where a domain has fallen silent; failed reads a second",
            "none",
            vec![
                (of("1 - ergometer_domain_observed{CHOSEN}"), "{{kind}} {{name}} not observed"),
                (
                    of("rate(ergometer_reads_failed_total{CHOSEN}[$__rate_interval])"),
                    "{{kind}} {{name}} failed reads",
                ),
            ],
        ),
        Panel::table(
            "Sources",
            "1 where a source can be read; else 0, and why not",
            of("ergometer_source_available{CHOSEN}"),
        ),
        Panel::table("Runs", "What identifies the runs", of("ergometer_run_info{CHOSEN}")),
    ]
}

/// A choice among the values of a label.
fn choice(name: &str, label: &str, query: &str) -> Value {
    json!({
        "name": name,
        "label": label,
        "type": "query",
        "datasource": datasource(),
        "definition": query,
        "query": { "query": query, "refId": name },
        "refresh": 2,
        "sort": 1,
        "multi": true,
        "includeAll": true,
        // A run without the label is one of all.
        "allValue": ".*",
        "current": { "selected": true, "text": ["All"], "value": ["$__all"] },
        "options": [],
        "hide": 0,
        "regex": "",
        "skipUrlSync": false,
    })
}

fn dashboard() -> Value {
    let (mut x, mut y, mut row) = (0, 0, 0);
    let mut placed = Vec::new();
    for (index, panel) in panels().iter().enumerate() {
        if x + panel.width > COLUMNS {
            (x, y, row) = (0, y + row, 0);
        }
        placed.push(panel.json(index + 1, (x, y)));
        x += panel.width;
        row = row.max(panel.height);
    }
    json!({
        "uid": "ergometer",
        "title": "Energy of training (ergometer)",
        "description": "Figures of ergometer's meters, as Prometheus reads them",
        "tags": ["ergometer", "energy"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "10s",
        "time": { "from": "now-1h", "to": "now" },
        "annotations": { "list": [] },
        "links": [],
        "templating": { "list": [
            {
                "name": "datasource",
                "label": "Prometheus",
                "type": "datasource",
                "query": "prometheus",
                "current": {},
                "options": [],
                "hide": 0,
                "includeAll": false,
                "multi": false,
                "refresh": 1,
                "regex": "",
                "skipUrlSync": false,
            },
            choice("run", "Run", "label_values(ergometer_run_info, run)"),
            choice("machine", "Machine", "label_values(ergometer_run_info{run=~\"$run\"}, machine)"),
        ] },
        "panels": placed,
    })
}
