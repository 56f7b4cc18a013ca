//! Runs schedules of faults and prints what came of them. The exit code is 1 when a rule is broken or a mutant is not
//! detected.
#![allow(clippy::disallowed_methods)] // the duration of a run is real time

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use carpack_chaos::circumstance::Circumstance;
use carpack_chaos::matrix;
use carpack_chaos::mutant::Mutant;
use carpack_chaos::rule::Rule;
use carpack_chaos::runner::{run_schedule, run_schedules};
use carpack_chaos::schedule::Schedule;
use carpack_chaos::tally::Tally;
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// At most so many schedules, of so many, may end with a question to a person.
const QUESTIONS: (usize, usize) = (1, 1000);
/// A mutant that so many schedules do not detect is not detected.
const MAX_TRIES: usize = 20_000;
/// With this seed all packs have a quantity of 3. Schedules with this or a lower seed run in any case; `--minutes`
/// limits the others.
const QUANTITY_3: u64 = 2;

/// Runs carpack's own controllers and spender in virtual time, with faults at every effect.
#[derive(Parser)]
struct Arguments {
    /// Run only this schedule, written as in the output of a run, and show everything that happens in it.
    #[arg(long)]
    replay: Option<Schedule>,
    /// Log filter for --replay.
    #[arg(long, default_value = "info,carpack=debug,carpack_chaos=debug")]
    log: String,
    /// Seeds for every fault alone. With at least one, every fault also runs once in each circumstance, with quantity
    /// 3.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// Seeds for every ordered pair of faults. The first has quantity 3 and always runs completely; the others stop
    /// after --minutes.
    #[arg(long, default_value_t = 3)]
    pair_seeds: u64,
    /// Minutes from the start after which no other seed of a pair is run.
    #[arg(long, default_value_t = 27)]
    minutes: u64,
    /// Run only each n-th pair.
    #[arg(long, default_value_t = 1)]
    every: usize,
    /// Run only every fault in all of these circumstances at once.
    #[arg(long, value_delimiter = ',')]
    beside: Vec<Circumstance>,
    /// Number of threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Do not run the mutants.
    #[arg(long)]
    no_mutants: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = io::stdout().lock();
    let good = match &arguments.replay {
        Some(schedule) => replay(schedule, &arguments.log, &mut out),
        None => run_all(&arguments, &mut out),
    };
    match good {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

fn replay(schedule: &Schedule, log: &str, out: &mut impl Write) -> io::Result<bool> {
    tracing_subscriber::fmt().with_env_filter(log).with_target(false).without_time().init();
    let began = Instant::now();
    let report = run_schedule(schedule).map_err(io::Error::other)?;
    let (happened, all, took) = (report.faults, schedule.faults.len(), began.elapsed());
    let (charges, digest) = (report.charges, report.digest);
    writeln!(
        out,
        "\n{schedule}: {happened} of {all} faults happened, {charges} charges, {took:.0?}, digest {digest:016x}"
    )?;
    for breach in &report.breaches {
        writeln!(out, "BROKEN {breach}")?;
    }
    if let Some(question) = &report.asked {
        writeln!(out, "asks a person ({}): {}", question.reason, question.message)?;
    }
    if happened < all {
        writeln!(out, "a fault had no occasion in these circumstances")?;
    }
    Ok(report.breaches.is_empty() && happened == all)
}

fn run_all(arguments: &Arguments, out: &mut impl Write) -> io::Result<bool> {
    let began = Instant::now();
    let mutants = if arguments.no_mutants { (0, 0) } else { run_mutants(arguments.threads, out)? };
    let schedules: Box<dyn Iterator<Item = Schedule> + Send> = match arguments.beside.as_slice() {
        [] => Box::new(all_schedules(arguments, began)),
        circumstances => Box::new(matrix::in_circumstances(circumstances).into_iter()),
    };
    let failures = AtomicUsize::new(0);
    let tally = run_schedules(schedules, arguments.threads, |tally| {
        print_progress(tally, began, &failures);
        false
    });
    print_details(&tally, out)?;
    print_summary(&tally, mutants, out)?;
    let few_questions = tally.questions().saturating_mul(QUESTIONS.1) <= tally.schedules().saturating_mul(QUESTIONS.0);
    let (detected, all) = mutants;
    Ok(tally.failures.is_empty() && few_questions && detected == all && tally.schedules() > 0)
}

fn all_schedules(arguments: &Arguments, began: Instant) -> impl Iterator<Item = Schedule> + Send {
    let seeds = arguments.seeds;
    let single = (0..seeds).flat_map(matrix::single_faults);
    let crossed = (seeds > 0).then_some(QUANTITY_3).into_iter().flat_map(matrix::in_each_circumstance);
    let budget = Duration::from_secs(arguments.minutes.saturating_mul(60));
    let in_time = move |schedule: &Schedule| schedule.seed <= QUANTITY_3 || began.elapsed() < budget;
    let pair_seeds = QUANTITY_3..QUANTITY_3.saturating_add(arguments.pair_seeds);
    let pairs = pair_seeds.flat_map(matrix::pairs).step_by(arguments.every.max(1)).take_while(in_time);
    single.chain(crossed).chain(pairs)
}

/// Prints progress to standard error, because it is not part of the result. A failure is printed at once.
fn print_progress(tally: &Tally, began: Instant, printed: &AtomicUsize) {
    let failures = tally.failures.len();
    // An error here loses only progress.
    if printed.swap(failures, Ordering::Relaxed) < failures
        && let Some((schedule, _)) = tally.failures.last()
    {
        let _ = writeln!(io::stderr(), "\rBROKEN: make chaos ARGS='--replay {schedule}'");
    }
    if !tally.schedules().is_multiple_of(1000) {
        return;
    }
    let (minutes, seconds) = (began.elapsed().as_secs() / 60, began.elapsed().as_secs() % 60);
    let count = tally.schedules();
    let _ = write!(io::stderr(), "\r{minutes:>3}:{seconds:02}  {count:>7} schedules, {failures} with a broken rule ");
}

fn print_details(tally: &Tally, out: &mut impl Write) -> io::Result<()> {
    writeln!(out)?;
    for (schedule, breaches) in &tally.failures {
        writeln!(out, "\nBROKEN: make chaos ARGS='--replay {schedule}'")?;
        for breach in breaches {
            writeln!(out, "  {breach}")?;
        }
    }
    let incomplete: usize = tally.incomplete.values().sum();
    writeln!(
        out,
        "\n{} schedules in which every fault happened, with {} different courses of events; {incomplete} in which a fault had no occasion:",
        tally.complete,
        tally.courses.len()
    )?;
    for (site, count) in &tally.incomplete {
        writeln!(out, "  {count:>6}  {site}")?;
    }
    if !tally.asked.is_empty() {
        writeln!(out, "\nended with a question to a person:")?;
    }
    for (reason, all) in &tally.asked {
        writeln!(out, "  {:>6}  {reason}", all.len())?;
        // Sorted, because threads finish in any order.
        let sorted: BTreeMap<&Schedule, &String> = all.iter().map(|(schedule, message)| (schedule, message)).collect();
        for (schedule, message) in sorted {
            writeln!(out, "          {schedule}: {message}")?;
        }
    }
    for ((rule, circumstances), count) in &tally.broken_by_circumstances {
        writeln!(out, "  {count:>6}  {rule:?} broken in: {circumstances}")?;
    }
    Ok(())
}

/// Prints the last lines. `mutants` says how many were detected, of how many.
fn print_summary(tally: &Tally, mutants: (usize, usize), out: &mut impl Write) -> io::Result<()> {
    let named = [Rule::DoubleCharge, Rule::Overpaid, Rule::LostPack, Rule::MissedRenewal, Rule::RepeatedRenewal];
    let others: usize = tally.broken.iter().filter(|(rule, _)| !named.contains(rule)).map(|(_, count)| count).sum();
    let reasons: Vec<String> = tally.asked.iter().map(|(reason, all)| format!("{} {reason}", all.len())).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    let (detected, all) = mutants;
    writeln!(out, "\nbreaches of all other rules: {others}")?;
    writeln!(out, "digest of all schedules: {:016x}", tally.digest)?;
    writeln!(
        out,
        "\nschedules {} | double charges {} | lost packs {} | missed renewals {} | repeated renewals {} | ended asking a human {}{reasons} | mutants killed {detected}/{all}",
        tally.complete,
        tally.count(Rule::DoubleCharge).saturating_add(tally.count(Rule::Overpaid)),
        tally.count(Rule::LostPack),
        tally.count(Rule::MissedRenewal),
        tally.count(Rule::RepeatedRenewal),
        tally.questions(),
    )?;
    if tally.schedules() == 0 {
        writeln!(out, "no schedule was run: leave out --every, --seeds and --pair-seeds, or raise them")?;
    }
    Ok(())
}

/// Runs every mutant until it is detected. Returns how many were detected, of how many.
fn run_mutants(threads: usize, out: &mut impl Write) -> io::Result<(usize, usize)> {
    writeln!(out, "mutants:")?;
    let mut detected = 0;
    for mutant in Mutant::ALL {
        let (began, examined, evidence) = (Instant::now(), AtomicUsize::new(0), Mutex::new(None));
        let tally = run_schedules(matrix::against(mutant).take(MAX_TRIES), threads, |tally| {
            let signs = tally.failures.len().saturating_add(tally.asked.len());
            if examined.swap(signs, Ordering::Relaxed) == signs {
                return false;
            }
            let mut evidence = evidence.lock().unwrap_or_else(PoisonError::into_inner);
            *evidence = evidence.take().or_else(|| find_evidence(tally));
            evidence.is_some()
        });
        let (took, tried) = (began.elapsed(), tally.schedules());
        match evidence.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((schedule, what)) => {
                detected += 1;
                writeln!(out, "  detected     {mutant:24} {tried:>5} schedules {took:>6.1?}  {schedule}  {what}")?;
            }
            None => writeln!(out, "  NOT DETECTED {mutant:24} {tried:>5} schedules {took:>6.1?}")?,
        }
        out.flush()?;
    }
    Ok((detected, Mutant::ALL.len()))
}

/// A schedule that shows the mutant: a rule is broken or a person is asked, and neither happens without the mutant.
fn find_evidence(tally: &Tally) -> Option<(Schedule, String)> {
    let breach = tally
        .failures
        .last()
        .map(|(schedule, breaches)| (schedule.clone(), breaches.first().map(ToString::to_string).unwrap_or_default()));
    let asked =
        tally.asked.iter().filter_map(|(reason, all)| Some((all.first()?.0.clone(), format!("asks: {reason}"))));
    let without_mutant = |schedule: &Schedule| Schedule { mutant: None, ..schedule.clone() };
    let is_good_without = |(schedule, _): &(Schedule, String)| {
        run_schedule(&without_mutant(schedule)).is_ok_and(|report| report.breaches.is_empty() && report.asked.is_none())
    };
    let (schedule, what) = breach.into_iter().chain(asked).find(is_good_without)?;
    Some((schedule, what.chars().take(120).collect()))
}
