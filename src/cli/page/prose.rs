//! What `docs/cli.md` says beside the flags: what can't be read off the types.

/// Which verb ends with which code, and what a signal does.
pub(super) const EXITS: &str = r"
What a code means for a verb:

| verb | ends with |
|--|--|
| `deploy` | 0 allowed, and the plan is out; 1 no decision, or a plan that could not be written after it was recorded; 2; 10 denied; 11 inconclusive; 12 not recorded; 13 a log that does not check out |
| `verify` | the same without 12 and 13: it opens no log |
| `verify-bundle` | 0 verified; 10 whatever is wrong in bundle, root, key or artifact; 2 the command line, or a file that can't be opened |
| `bundle` | 0; 10 an artifact that is not what the release says; 11 evidence that could not be reached |
| `approve`, `reject`, `sign`, `attest` | 0 signed; 10 not signed: somebody said no, nobody spoke of the release, or the bundle that was made does not hold |
| `doctor` | 0 sound; 10 vacuous |
| `audit …` | 0; 3 nothing matched (with `--fail-empty`); 12 no log, or one that needs repair; 13 it does not check out |
| `render` | 0; 12 the own log is missing; 13 a plan that is not accepted |
| `rollout run` | 0 completed; 10 rolled back or expired; 1 it stopped before its end (a signal, a driver, another guard at the target), and the same command goes on; 12 the log can't take an entry; 13 a plan or journal that is refused |
| `rollout status` | 0; with `-w` 0 completed, 10 rolled back or expired, 11 paused |
| `rollout pause`, `resume`, `rollback` | 0 done; 10 refused in this state; 11 no guard runs, or it has not answered: the request stays. `rollback` without a guard becomes one, and ends as `run` does |
| `rollout simulate` | 0 it ends as the scenario expects; 10 otherwise |
| `rollout history`, `verify-journal` | 0; 13 a journal that does not check out |
| `runtime`, `studio` | 0 after SIGTERM or SIGINT; 1 it can't listen; 12 the log is missing; 13 a plan that is not accepted |

### Signals

`runtime` and `studio` finish what is under way after SIGINT (Ctrl-C) or SIGTERM, and end with 0. A `rollout run` that one of them ends, ends with 1: the weights stay as they are, and the same command goes on; a second signal ends it at once, with 130. Every other verb is ended by the signal itself, which shells report as 130 (SIGINT) or 143 (SIGTERM): no plan is out, and an entry that was not durable yet is set aside by the log's next writer. A `deploy` that waits for the log's lock has recorded nothing.
";

/// How a shell learns the verbs, and where manual pages go.
pub(super) const SHELLS: &str = r"
## Completion and manual pages

```sh
mkdir -p ~/.local/share/bash-completion/completions
laforge completions bash > ~/.local/share/bash-completion/completions/laforge
laforge man --dir ~/.local/share/man/man1
```

For zsh the file is `_laforge` in a folder of `$fpath`, for fish `~/.config/fish/completions/laforge.fish`. `laforge man` prints the program's page, `laforge man rollout run` that of a verb, in roff: `laforge man deploy | man -l -`.
";
