//! `docs/grafana-dashboard-laforge.json`: a panel for each family, made of the same rows.
//!
//! In: [`FAMILIES`]. Out: the dashboard as Grafana 11 reads it, with the data source as a variable. Spec:
//! <https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/>.

use serde_json::{Value, json};

use super::{FAMILIES, Family};

/// The version of the model that Grafana 11 writes.
const SCHEMA: u64 = 39;
/// Columns of a panel; Grafana has 24.
const WIDTH: usize = 8;
const HEIGHT: usize = 8;

/// The dashboard.
pub fn dashboard() -> Value {
    let mut panels = Vec::new();
    let (mut y, mut x, mut row) = (0, 0, "");
    for family in &FAMILIES {
        if family.panel.row != row {
            y += if x > 0 { HEIGHT } else { 0 };
            row = family.panel.row;
            panels.push(heading(panels.len() + 1, row, y));
            (x, y) = (0, y + 1);
        }
        panels.push(panel(panels.len() + 1, family, x, y));
        x += WIDTH;
        if x >= 24 {
            (x, y) = (0, y + HEIGHT);
        }
    }
    json!({
        "title": "laforge",
        "uid": "laforge",
        "description": "The gate's decisions, rollouts and the health of the audit log.",
        "tags": ["laforge"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "30s",
        "timezone": "browser",
        "time": {"from": "now-6h", "to": "now"},
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": [{
            "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus",
            "current": {}, "hide": 0, "refresh": 1, "regex": "", "options": [],
            "includeAll": false, "multi": false,
        }]},
        "panels": panels,
    })
}

fn heading(id: usize, title: &str, y: usize) -> Value {
    json!({
        "id": id, "type": "row", "title": title, "collapsed": false, "panels": [],
        "gridPos": {"h": 1, "w": 24, "x": 0, "y": y},
    })
}

fn panel(id: usize, family: &Family, x: usize, y: usize) -> Value {
    let panel = family.panel;
    let target = |(at, (query, legend)): (usize, &(&str, &str))| {
        let letter = char::from(b'A' + u8::try_from(at % 26).unwrap_or_default()).to_string();
        json!({
            "refId": letter, "expr": query, "legendFormat": legend, "range": true, "editorMode": "code",
            "datasource": {"type": "prometheus", "uid": "${datasource}"},
        })
    };
    let targets: Vec<Value> = panel.queries.iter().enumerate().map(target).collect();
    json!({
        "id": id,
        "type": "timeseries",
        "title": panel.title,
        "description": family.help,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"h": HEIGHT, "w": WIDTH, "x": x, "y": y},
        "fieldConfig": {"defaults": {"unit": panel.unit, "custom": {"fillOpacity": 10}}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": true},
                    "tooltip": {"mode": "multi", "sort": "none"}},
        "targets": targets,
    })
}

/// Each query of each panel, with the panel's title.
pub fn queries() -> impl Iterator<Item = (&'static str, &'static str)> {
    FAMILIES
        .iter()
        .flat_map(|family| family.panel.queries.iter().map(|(query, _)| (family.panel.title, *query)))
}
