//! `kith`: the record of peer-support groups.

use std::process::ExitCode;

fn main() -> ExitCode {
    kith::cli::run()
}
