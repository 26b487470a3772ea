//! A draft is not a plan.
use laforge::plan::PlanDraft;
use laforge::rollout::Plan;

fn skip_the_decision(draft: PlanDraft) -> Plan {
    Plan::promote(draft)
}

fn main() {}
