//! A plan can't be made of a decision that the log has not taken.
use laforge::policy::Decision;
use laforge::rollout::Plan;

fn skip_the_log(decision: Decision) -> Plan {
    Plan::promote(decision)
}

fn main() {}
