//! The command `laforge`.

use std::process::ExitCode;

fn main() -> ExitCode {
    laforge::cli::main()
}
