//! One approval becomes one plan.
use laforge::audit::Approved;
use laforge::rollout::Plan;

fn spend(approved: Approved) -> (Plan, Plan) {
    (Plan::promote(approved), Plan::promote(approved))
}

fn main() {}
