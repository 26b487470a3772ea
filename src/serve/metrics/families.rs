//! Every family of series, each with the panel that shows it.
//!
//! Names follow <https://prometheus.io/docs/practices/naming/>: seconds, `_total`, and labels whose values are few.

/// How a family is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One family of series, and the panel that shows it.
#[derive(Debug, Clone, Copy)]
pub(in crate::serve) struct Family {
    pub(in crate::serve) name: &'static str,
    pub(in crate::serve) kind: Kind,
    pub(in crate::serve) help: &'static str,
    pub(in crate::serve) panel: Panel,
}

/// A panel of the dashboard.
#[derive(Debug, Clone, Copy)]
pub(in crate::serve) struct Panel {
    pub(in crate::serve) row: &'static str,
    pub(in crate::serve) title: &'static str,
    /// As Grafana names it.
    pub(in crate::serve) unit: &'static str,
    /// A query and what its series are called, each.
    pub(in crate::serve) queries: &'static [(&'static str, &'static str)],
}

macro_rules! family {
    ($name:ident, $text:literal, $kind:ident, $help:literal, $row:literal, $title:literal, $unit:literal, [$($query:expr),+]) => {
        pub(in crate::serve) const $name: Family = Family {
            name: $text,
            kind: Kind::$kind,
            help: $help,
            panel: Panel { row: $row, title: $title, unit: $unit, queries: &[$($query),+] },
        };
    };
}

family!(
    DECISIONS,
    "laforge_gate_decisions_total",
    Counter,
    "Decisions that the log holds, by verdict, action and the first rule that objected.",
    "Gate",
    "Decisions by action",
    "short",
    [
        ("sum by (action) (laforge_gate_decisions_total)", "{{action}}"),
        ("sum by (reason) (laforge_gate_decisions_total{action=\"deny\"})", "denied: {{reason}}"),
        (
            "sum(laforge_gate_decisions_total{action=\"deny\"}) / sum(laforge_gate_decisions_total)",
            "reject rate"
        )
    ]
);
family!(
    VERIFICATION,
    "laforge_gate_verification_seconds",
    Histogram,
    "Time to hash, gather and verify all that a release names.",
    "Gate",
    "Verification time",
    "s",
    [("histogram_quantile(0.95, sum by (le) (laforge_gate_verification_seconds_bucket))", "p95")]
);
family!(
    POLICY,
    "laforge_gate_policy_seconds",
    Histogram,
    "Time to ask every rule.",
    "Gate",
    "Policy time",
    "s",
    [("histogram_quantile(0.95, sum by (le) (laforge_gate_policy_seconds_bucket))", "p95")]
);
family!(
    REVIEWS,
    "laforge_admission_reviews_total",
    Counter,
    "Reviews of an API server, by answer.",
    "Gate",
    "Admission",
    "short",
    [("sum by (result) (laforge_admission_reviews_total)", "{{result}}")]
);
family!(
    MIGRATION,
    "laforge_migration_duration_seconds",
    Histogram,
    "Time of migrations, by how they ended.",
    "Rollout",
    "Migration time",
    "s",
    [
        (
            "histogram_quantile(0.95, sum by (le, result) (laforge_migration_duration_seconds_bucket))",
            "{{result}} p95"
        ),
        ("sum by (result) (laforge_migration_duration_seconds_count)", "{{result}}")
    ]
);
family!(
    ROLLOUT_STATE,
    "laforge_rollout_state",
    Gauge,
    "1 for the stage that the newest rollout at a target is in.",
    "Rollout",
    "Stage",
    "short",
    [("laforge_rollout_state == 1", "{{target}}: {{state}}")]
);
family!(
    ROLLOUT_WEIGHT,
    "laforge_rollout_weight",
    Gauge,
    "Percent of the traffic, as commanded and as read back.",
    "Rollout",
    "Weight",
    "percent",
    [
        ("laforge_rollout_weight{role=\"candidate\"}", "{{target}} candidate {{kind}}"),
        ("laforge_rollout_weight{role=\"stable\",kind=\"actual\"}", "{{target}} stable")
    ]
);
family!(
    ROLLOUT_WINDOW,
    "laforge_rollout_window_requests",
    Gauge,
    "Requests that the guard counted in the last window that it judged, bad ones and all.",
    "Rollout",
    "Window",
    "short",
    [("laforge_rollout_window_requests", "{{objective}} {{role}} {{kind}}")]
);
family!(
    ROLLOUT_PAUSES,
    "laforge_rollout_pauses_total",
    Counter,
    "Pauses of rollouts, by cause.",
    "Rollout",
    "Pauses",
    "short",
    [("sum by (cause) (laforge_rollout_pauses_total)", "{{cause}}")]
);
family!(
    AUDIT_SIZE,
    "laforge_audit_size",
    Gauge,
    "Entries of the log at its signed head.",
    "Audit",
    "Log size",
    "short",
    [("laforge_audit_size", "entries")]
);
family!(
    AUDIT_ENTRIES,
    "laforge_audit_entries_total",
    Counter,
    "Entries of the log, by type.",
    "Audit",
    "Entries by type",
    "short",
    [("sum by (type) (laforge_audit_entries_total)", "{{type}}")]
);
family!(
    AUDIT_AGE,
    "laforge_audit_last_entry_timestamp_seconds",
    Gauge,
    "When the log's last entry was recorded.",
    "Audit",
    "Age of the last entry",
    "s",
    [("time() - laforge_audit_last_entry_timestamp_seconds", "age")]
);
family!(
    AUDIT_ANCHOR,
    "laforge_audit_last_anchor_timestamp_seconds",
    Gauge,
    "When it was last recorded that the log's head was kept elsewhere.",
    "Audit",
    "Age of the last anchor",
    "s",
    [("time() - laforge_audit_last_anchor_timestamp_seconds", "age")]
);
family!(
    AUDIT_HEALTHY,
    "laforge_audit_healthy",
    Gauge,
    "1 while the log can be read, checks out and needs no repair.",
    "Audit",
    "Log health",
    "short",
    [("laforge_audit_healthy", "healthy")]
);
family!(
    AUDIT_APPEND,
    "laforge_audit_append_seconds",
    Histogram,
    "Time to make an entry durable.",
    "Audit",
    "Append time",
    "s",
    [("histogram_quantile(0.95, sum by (le) (laforge_audit_append_seconds_bucket))", "p95")]
);
family!(
    HTTP_REQUESTS,
    "laforge_http_requests_total",
    Counter,
    "Requests, by route and status.",
    "Service",
    "Requests",
    "short",
    [("sum by (route, status) (laforge_http_requests_total)", "{{route}} {{status}}")]
);
family!(
    HTTP_SECONDS,
    "laforge_http_request_seconds",
    Histogram,
    "Time to answer, by route.",
    "Service",
    "Time to answer",
    "s",
    [("histogram_quantile(0.95, sum by (le, route) (laforge_http_request_seconds_bucket))", "{{route}} p95")]
);
family!(
    SPANS_LOST,
    "laforge_traces_lost_spans_total",
    Counter,
    "Spans that found no room to wait, or that the collector did not take.",
    "Service",
    "Lost spans",
    "short",
    [("rate(laforge_traces_lost_spans_total[5m])", "spans a second")]
);
family!(
    BUILD,
    "laforge_build_info",
    Gauge,
    "The program's version.",
    "Service",
    "Version",
    "short",
    [("laforge_build_info", "{{version}}")]
);

family!(
    KEPT,
    "laforge_service_kept_timestamp_seconds",
    Gauge,
    "When what is held in memory was last looked after (look), and when trust could last be read (trust).",
    "Service",
    "Since trust was read",
    "s",
    [("time() - laforge_service_kept_timestamp_seconds", "{{what}}")]
);

/// Every family.
pub(in crate::serve) const FAMILIES: [Family; 20] = [
    DECISIONS,
    VERIFICATION,
    POLICY,
    REVIEWS,
    MIGRATION,
    ROLLOUT_STATE,
    ROLLOUT_WEIGHT,
    ROLLOUT_WINDOW,
    ROLLOUT_PAUSES,
    AUDIT_SIZE,
    AUDIT_ENTRIES,
    AUDIT_AGE,
    AUDIT_ANCHOR,
    AUDIT_HEALTHY,
    AUDIT_APPEND,
    HTTP_REQUESTS,
    HTTP_SECONDS,
    SPANS_LOST,
    KEPT,
    BUILD,
];
