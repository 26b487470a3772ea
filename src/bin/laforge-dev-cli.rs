//! `laforge` under its older name; scripts written for it keep working.

use std::process::ExitCode;

fn main() -> ExitCode {
    laforge::cli::main()
}
