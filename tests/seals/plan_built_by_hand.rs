//! A plan's field is its own.
use laforge::audit::Approved;
use laforge::rollout::Plan;

fn build(approved: Approved) -> Plan {
    Plan { approved }
}

fn main() {}
