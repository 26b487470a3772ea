//! A plan can't be read back in.
use laforge::rollout::Plan;

fn read(text: &str) -> Plan {
    serde_json::from_str(text).unwrap()
}

fn main() {}
