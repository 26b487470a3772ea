//! `laforge rollout simulate`: a rollout in virtual time, or ten thousand of them.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

use clap::{Args, ValueEnum};

use crate::cli::flags::{self, RolloutFlags};
use crate::cli::load;
use crate::cli::{Exit, Failure, Session};
use crate::plan::{RolloutRequest, RolloutSection};
use crate::report::simulation as report;
use crate::rollout::simulate::sweep::sweep;
use crate::rollout::simulate::{Planned, Scenario, Simulation, simulate};
use crate::yaml::Source;

/// Run a plan in virtual time, in a scripted world: nothing is touched.
#[derive(Debug, Args)]
pub(in crate::cli) struct Simulate {
    /// A plan or a preview; nothing in it is verified (default: a plan of the rollout flags)
    #[arg(value_name = "PLAN")]
    plan: Option<PathBuf>,
    /// What happens: a scenario (default: a good day)
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Run so many random scenarios, and say how often a bad candidate passed
    #[arg(long, value_name = "N", value_parser = flags::count, conflicts_with = "scenario")]
    sweep: Option<u64>,
    /// The seed of all chance (default: the scenario's, or 1)
    #[arg(long, value_name = "S", value_parser = flags::count)]
    seed: Option<u64>,
    #[command(flatten)]
    rollout: RolloutFlags,
    /// How to print
    #[arg(short, long, value_enum, default_value = "human", help_heading = "Output")]
    output: Form,
    /// Write the chart as SVG
    #[arg(long, value_name = "FILE", conflicts_with = "sweep", help_heading = "Output")]
    chart: Option<PathBuf>,
}

/// How a simulation is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A table and a chart
    Human,
    /// One JSON document
    Json,
    /// One JSON object per event, and one for the end
    Jsonl,
}

impl Simulate {
    pub(in crate::cli) fn run(self, session: &Session) -> Result<Exit, Failure> {
        if let Some(path) = &self.chart {
            session.refuse_other(path, "chart", report::is_chart)?;
        }
        let (mut scenario, section) = match &self.scenario {
            Some(path) => {
                let source = Source::new(&path.display().to_string(), &session.read_document(path)?);
                let (scenario, section) = Scenario::read(&source)?;
                (scenario, Some((section, source)))
            }
            None => (Scenario::default(), None),
        };
        scenario.seed = self.seed.unwrap_or(scenario.seed);
        let planned = self.planned(section.as_ref(), session)?;
        match self.sweep {
            Some(count) => self.many(&planned, count, session),
            None => self.one(&planned, &scenario, session),
        }
    }

    /// A plan's own course, else flags over the scenario's `rollout:`, else flags over laforge.yaml.
    fn planned(
        &self,
        section: Option<&(RolloutSection, Source)>,
        session: &Session,
    ) -> Result<Planned, Failure> {
        let failed = |error| Failure::of(Exit::Usage, &error);
        if let Some(path) = &self.plan {
            if let Some(flag) = self.rollout.first() {
                return Err(Failure::usage(format!(
                    "`{flag}` does not go with a plan, which has its course"
                ))
                .hint("leave the flag or the plan out"));
            }
            let bytes = session.read_file(path)?;
            return Planned::parse(&bytes).map_err(|error| unread(path, &error));
        }
        let request = match section {
            Some((section, source)) => RolloutRequest::of(Some((section, source)), &self.rollout.plan())?,
            None => self.rollout.request(&load::config(session)?)?,
        };
        Planned::request(&request).map_err(failed)
    }

    fn one(&self, planned: &Planned, scenario: &Scenario, session: &Session) -> Result<Exit, Failure> {
        let simulation = simulate(planned, scenario);
        if let Some(path) = &self.chart {
            session.replace(path, report::svg(planned, scenario, &simulation).as_bytes())?;
        }
        let text = match self.output {
            Form::Human => {
                let trace = report::trace(scenario, &simulation, session.paint_out);
                format!("{trace}\n{}", report::terminal(planned, &simulation))
            }
            Form::Json => report::json(scenario, &simulation),
            Form::Jsonl => report::json_lines(scenario, &simulation),
        };
        session.print(text.as_bytes())?;
        compare(scenario, &simulation)
    }

    fn many(&self, planned: &Planned, count: u64, session: &Session) -> Result<Exit, Failure> {
        if count == 0 || count > 1_000_000 {
            return Err(Failure::usage(format!("`--sweep {count}` is not 1 to 1000000")));
        }
        let threads = thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        let found = sweep(planned, count, self.seed.unwrap_or(1), threads);
        if found.scenarios != count {
            return Err(Failure::new(Exit::NoDecision, "a part of the sweep was lost"));
        }
        let text = match self.output {
            Form::Human => report::sweep(&found),
            Form::Json => format!("{:#}\n", serde_json::json!(found)),
            Form::Jsonl => format!("{}\n", serde_json::json!(found)),
        };
        session.print(text.as_bytes())?;
        Ok(Exit::Holds)
    }
}

fn unread(path: &Path, error: &crate::rollout::simulate::NoPlan) -> Failure {
    Failure::of(Exit::Usage, error)
        .because(format!("in `{}`", path.display()))
        .hint("`laforge deploy -o FILE` writes a plan, and a preview where no release is in reach")
}

/// Whether it ended as the scenario expects.
fn compare(scenario: &Scenario, simulation: &Simulation) -> Result<Exit, Failure> {
    let Some(expected) = &scenario.expect else { return Ok(Exit::Holds) };
    if expected.holds(&simulation.end, simulation.cause, simulation.highest) {
        return Ok(Exit::Holds);
    }
    let cause = simulation.cause.map_or_else(String::new, |cause| format!(" after a pause for `{cause}`"));
    Err(Failure::new(
        Exit::Denied,
        format!(
            "`{}` ended as `{}`{cause}, at most at {} %, and its `expect` says otherwise",
            scenario.name,
            simulation.end.stage.name(),
            simulation.highest
        ),
    ))
}
