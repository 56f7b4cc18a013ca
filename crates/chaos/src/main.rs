//! Runs schedules.
use carpack_chaos::fault::Fault;
use carpack_chaos::plan::Schedule;
use carpack_chaos::run::run;
use clap::Parser;
use std::process::ExitCode;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Args {
    #[arg(long)]
    replay: Option<Schedule>,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[arg(long, default_value = "info,carpack=debug,carpack_chaos=debug")]
    log: String,
}

#[allow(clippy::print_stdout, clippy::disallowed_methods)]
fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(schedule) = args.replay {
        tracing_subscriber::fmt().with_env_filter(&args.log).init();
        let began = Instant::now();
        println!("{:#?}", run(&schedule));
        println!("{:?}", began.elapsed());
        return ExitCode::SUCCESS;
    }
    let began = Instant::now();
    let mut n = 0;
    for fault in Fault::all() {
        let schedule = Schedule { faults: vec![fault], seed: args.seed };
        let ending = run(&schedule).unwrap();
        n += 1;
        if ending.reached < 1 || !ending.breaches.is_empty() || ending.asked.is_some() {
            println!(
                "{schedule}: reached {} asked {:?} {}",
                ending.reached,
                ending.asked,
                ending.breaches.iter().map(|b| b.to_string()).collect::<Vec<_>>().join(" | ")
            );
        }
    }
    println!("{n} in {:?}", began.elapsed());
    ExitCode::SUCCESS
}
