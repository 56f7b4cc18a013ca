//! Explores the worlds within a time budget, and prints what came of them. The exit code is 1 when a rule is broken.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use carpack_model::config::World;
use carpack_model::explore::{Report, Verdict, explore};
use carpack_model::worlds::{beyond, sound};
use clap::Parser;

/// Explores small worlds with the real decisions of carpack: every interleaving of operators, faults and the cloud.
#[derive(Parser)]
struct Arguments {
    /// Minutes for all worlds together. The default ends within half an hour, the build included.
    #[arg(long, env = "CARPACK_MODEL_MINUTES", default_value_t = 24.0)]
    minutes: f64,
    /// Number of threads.
    #[arg(long, env = "CARPACK_MODEL_THREADS", default_value_t = 2)]
    threads: usize,
    /// Explore only this world; may be given several times.
    #[arg(long = "world")]
    worlds: Vec<String>,
    /// Do not check the rule whose name begins with this, such as I8.
    #[arg(long)]
    waive: Option<String>,
    /// List the worlds, and explore none.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse(), &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

fn run(arguments: &Arguments, out: &mut impl Write) -> io::Result<bool> {
    let wanted = |world: &World| arguments.worlds.is_empty() || arguments.worlds.iter().any(|name| name == world.name);
    let worlds: Vec<World> = beyond().into_iter().chain(sound()).filter(wanted).collect();
    if worlds.is_empty() {
        writeln!(out, "there is no such world: --list shows all")?;
        return Ok(false);
    }
    if arguments.list {
        worlds.iter().try_for_each(|world| writeln!(out, "{}: {}", world.name, world.about))?;
        return Ok(true);
    }
    let begun = Instant::now();
    let end = begun + Duration::from_secs_f64(arguments.minutes.max(0.0) * 60.0);
    let (mut good, mut whole, mut unique, mut generated) = (true, 0_usize, 0_usize, 0_usize);
    for (index, world) in worlds.iter().enumerate() {
        writeln!(out, "\n{}: {}", world.name, world.about)?;
        // Small worlds come first, and the time that they leave over is shared by the worlds after them.
        let left = u32::try_from(worlds.len().saturating_sub(index)).unwrap_or(1).max(1);
        let budget = end.saturating_duration_since(Instant::now()).checked_div(left).unwrap_or_default();
        let waived = arguments.waive.clone().or_else(|| world.waived.clone());
        let report = explore(World { waived, ..world.clone() }, arguments.threads, budget, |progress| {
            let seconds = progress.took.as_secs();
            // An error here loses only progress.
            let _ = writeln!(out, "  {seconds:>5} s  {:>10} states  depth {}", progress.unique, progress.depth);
            let _ = out.flush();
        });
        good &= print(out, world, &report)?;
        whole = whole.saturating_add(usize::from(report.complete));
        unique = unique.saturating_add(report.unique);
        generated = generated.saturating_add(report.generated);
    }
    writeln!(
        out,
        "\n{unique} unique states in {} worlds, {whole} to the last state; {generated} transitions, {:.1} min: {}",
        worlds.len(),
        begun.elapsed().as_secs_f64() / 60.0,
        if good { "every rule holds" } else { "BROKEN" }
    )?;
    Ok(good)
}

fn print(out: &mut impl Write, world: &World, report: &Report) -> io::Result<bool> {
    let extent = match (report.complete, report.broken().is_empty()) {
        (true, _) => "all of them",
        (false, true) => "out of time",
        (false, false) => "until a rule broke",
    };
    writeln!(
        out,
        "  {} unique states ({extent}), {} transitions, depth {}, {:.1} s",
        report.unique,
        report.generated,
        report.depth,
        report.took.as_secs_f64()
    )?;
    let mut good = true;
    for (name, verdict) in &report.verdicts {
        match verdict {
            Verdict::Holds if world.known.is_some() => {}
            Verdict::Holds => writeln!(out, "  holds    {name}")?,
            Verdict::Reached => writeln!(out, "  {name}")?,
            Verdict::NotReached => {}
            Verdict::Broken(path) => {
                let known = world.known.is_some_and(|known| name.starts_with(known));
                good &= known;
                writeln!(out, "  {}   {name}", if known { "broken, as documented" } else { "BROKEN" })?;
                for (step, action) in path.iter().enumerate() {
                    writeln!(out, "    {:>3}. {action}", step.saturating_add(1))?;
                }
            }
        }
    }
    // The documents say that the guarantees end here, so the model must be able to show it.
    if world.known.is_some() && report.complete && report.broken().is_empty() {
        writeln!(out, "  NOT BROKEN, although the documents say that this is a limit")?;
        good = false;
    }
    out.flush()?;
    Ok(good)
}
