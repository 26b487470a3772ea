//! A plan from outside is accepted by its proof alone.
use laforge::rollout::AcceptedPlan;

fn accept(text: &str) -> AcceptedPlan {
    serde_json::from_str(text).unwrap()
}

fn main() {}
