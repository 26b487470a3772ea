//! A rollout in virtual time: the real machine and the real evaluator in a made-up world.
