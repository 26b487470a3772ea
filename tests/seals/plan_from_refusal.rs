//! A plan can't be made of a refusal.
use laforge::audit::Refused;
use laforge::rollout::Plan;

fn ignore_the_refusal(refused: Refused) -> Plan {
    Plan::promote(refused)
}

fn main() {}
