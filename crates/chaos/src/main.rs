//! Runs schedules of faults, and prints what came of them. Exit code 1 when a rule is broken or a mistake goes unnoticed.
#![allow(clippy::disallowed_methods)] // how long it takes is told in real time

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use carpack_chaos::matrix;
use carpack_chaos::oracle::Rule;
use carpack_chaos::plan::Schedule;
use carpack_chaos::run::{Tally, run, run_all};
use carpack_chaos::sabotage::Sabotage;
use carpack_chaos::trouble::Trouble;
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// So many schedules with a question to a person are allowed, of so many.
const QUESTIONS: (usize, usize) = (1, 1000);
/// A mistake that so many schedules do not show is not noticed.
const TRIES: usize = 20_000;

/// A seed by which all packs are of three concurrencies.
const OF_THREE: u64 = 2;

/// Runs carpack's own controllers and spender in virtual time, with faults at every effect.
#[derive(Parser)]
struct Arguments {
    /// Run this one schedule, and show everything that happens in it: as it is printed for a failure.
    #[arg(long)]
    replay: Option<Schedule>,
    /// What is shown of a replay.
    #[arg(long, default_value = "info,carpack=debug,carpack_chaos=debug")]
    log: String,
    /// Every fault alone is run with so many seeds; with any, also beside everything else that may be different, with one of quantity 3.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// Every ordered pair of faults is run with so many seeds: with the first, of quantity 3, all of them; with others as long as
    /// there is time.
    #[arg(long, default_value_t = 3)]
    pair_seeds: u64,
    /// How many minutes there are for the other seeds, from the beginning.
    #[arg(long, default_value_t = 27)]
    minutes: u64,
    /// Of the pairs only each so-and-so-many-th.
    #[arg(long, default_value_t = 1)]
    every: usize,
    /// Every fault is run beside this, or beside all of these at once, and nothing else is run.
    #[arg(long, value_delimiter = ',')]
    beside: Vec<Trouble>,
    /// How many threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Leave out the mistakes that are made on purpose.
    #[arg(long)]
    no_sabotage: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = io::stdout().lock();
    let done = match &arguments.replay {
        Some(schedule) => replay(schedule, &arguments.log, &mut out),
        None => everything(&arguments, &mut out),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

fn replay(schedule: &Schedule, log: &str, out: &mut impl Write) -> io::Result<bool> {
    tracing_subscriber::fmt().with_env_filter(log).with_target(false).without_time().init();
    let began = Instant::now();
    let ending = run(schedule).map_err(io::Error::other)?;
    let (reached, all, took) = (ending.reached, schedule.faults.len(), began.elapsed());
    let (charges, digest) = (ending.charges, ending.digest);
    writeln!(
        out,
        "\n{schedule}: {reached} of {all} faults came, {charges} charges, {took:.0?}; what happened has the digest {digest:016x}"
    )?;
    for breach in &ending.breaches {
        writeln!(out, "BROKEN {breach}")?;
    }
    if let Some((reason, words)) = &ending.asked {
        writeln!(out, "asks a person ({reason}): {words}")?;
    }
    if reached < all {
        writeln!(out, "a fault had no occasion: what else is different leaves none")?;
    }
    Ok(ending.breaches.is_empty() && reached == all)
}

fn everything(arguments: &Arguments, out: &mut impl Write) -> io::Result<bool> {
    let began = Instant::now();
    let mistakes = if arguments.no_sabotage { None } else { Some(make_mistakes(arguments.threads, out)?) };
    let seeds = arguments.seeds;
    let alone = (0..seeds).flat_map(matrix::atomic);
    let crossed = (seeds > 0).then_some(OF_THREE).into_iter().flat_map(matrix::beside_troubles);
    let budget = Duration::from_secs(arguments.minutes.saturating_mul(60));
    let in_time = |schedule: &Schedule| schedule.seed <= OF_THREE || began.elapsed() < budget;
    let pair_seeds = OF_THREE..OF_THREE.saturating_add(arguments.pair_seeds);
    let paired = pair_seeds.flat_map(matrix::pairs).step_by(arguments.every.max(1)).take_while(in_time);
    let schedules = alone.chain(crossed).chain(paired);
    let told = AtomicUsize::new(0);
    let schedules: Box<dyn Iterator<Item = Schedule> + Send> = match arguments.beside.as_slice() {
        [] => Box::new(schedules),
        these => Box::new(matrix::beside(these).into_iter()),
    };
    let tally = run_all(schedules, arguments.threads, |tally| {
        tell_progress(tally, began, &told);
        false
    });
    tell(&tally, out)?;
    let good = tally.failures.is_empty();
    let few = tally.questions().saturating_mul(QUESTIONS.1) <= tally.schedules().saturating_mul(QUESTIONS.0);
    let reasons: Vec<String> = tally.asked.iter().map(|(reason, all)| format!("{} {reason}", all.len())).collect();
    let why = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    let (killed, all) = mistakes.unwrap_or((0, 0));
    let named = [Rule::DoubleCharge, Rule::Overpaid, Rule::LostPack, Rule::MissedRenewal, Rule::RepeatedRenewal];
    let others = tally.broken.iter().filter(|(rule, _)| !named.contains(rule)).map(|(_, count)| count).sum::<usize>();
    writeln!(out, "\nbreaches of all other rules: {others}")?;
    writeln!(out, "digest of all schedules: {:016x}", tally.digest)?;
    writeln!(
        out,
        "\nschedules {} | double charges {} | lost packs {} | missed renewals {} | repeated renewals {} | ended asking a human {}{why} | mutants killed {killed}/{all}",
        tally.reached,
        tally.count(Rule::DoubleCharge).saturating_add(tally.count(Rule::Overpaid)),
        tally.count(Rule::LostPack),
        tally.count(Rule::MissedRenewal),
        tally.count(Rule::RepeatedRenewal),
        tally.questions(),
    )?;
    if tally.schedules() == 0 {
        writeln!(out, "nothing was run: leave out --every, --seeds and --pair-seeds, or raise them")?;
    }
    Ok(good && few && killed == all && tally.schedules() > 0)
}

/// Progress goes to standard error: it is not part of the result. A failure is told at once.
fn tell_progress(tally: &Tally, began: Instant, told: &AtomicUsize) {
    let failures = tally.failures.len();
    if told.swap(failures, Ordering::Relaxed) < failures
        && let Some((schedule, _)) = tally.failures.last()
    {
        let _ = writeln!(io::stderr(), "\rBROKEN: make chaos ARGS='--replay {schedule}'");
    }
    if !tally.schedules().is_multiple_of(1000) {
        return;
    }
    let (minutes, count, broken) = (began.elapsed().as_secs() / 60, tally.schedules(), tally.failures.len());
    let seconds = began.elapsed().as_secs() % 60;
    // Nothing is lost when it cannot be told.
    let _ = write!(io::stderr(), "\r{minutes:>3}:{seconds:02}  {count:>7} schedules, {broken} with a broken rule ");
}

fn tell(tally: &Tally, out: &mut impl Write) -> io::Result<()> {
    writeln!(out)?;
    for (schedule, breaches) in &tally.failures {
        writeln!(out, "\nBROKEN: make chaos ARGS='--replay {schedule}'")?;
        for breach in breaches {
            writeln!(out, "  {breach}")?;
        }
    }
    let unreached: usize = tally.unreached.values().sum();
    writeln!(
        out,
        "\n{} schedules whose faults all came, {} of them different in what happened; {unreached} in which one had no occasion:",
        tally.reached,
        tally.courses.len()
    )?;
    for (what, count) in &tally.unreached {
        writeln!(out, "  {count:>6}  {what}")?;
    }
    if !tally.asked.is_empty() {
        writeln!(out, "\nended with a question to a person:")?;
    }
    for (reason, all) in &tally.asked {
        writeln!(out, "  {:>6}  {reason}", all.len())?;
        for (schedule, words) in all {
            writeln!(out, "          {schedule}: {words}")?;
        }
    }
    for ((rule, beside), count) in &tally.broken_beside {
        writeln!(out, "  {count:>6}  {rule:?} broken beside: {beside}")?;
    }
    Ok(())
}

/// Makes every mistake on purpose until it is noticed: how many were, of how many.
fn make_mistakes(threads: usize, out: &mut impl Write) -> io::Result<(usize, usize)> {
    writeln!(out, "mistakes made on purpose:")?;
    let mut killed = 0;
    for sabotage in Sabotage::ALL {
        let (began, examined, noticed) = (Instant::now(), AtomicUsize::new(0), Mutex::new(None));
        let tally = run_all(matrix::against(sabotage).take(TRIES), threads, |tally| {
            let signs = tally.failures.len().saturating_add(tally.asked.len());
            if examined.swap(signs, Ordering::Relaxed) == signs {
                return false;
            }
            let mut noticed = noticed.lock().unwrap_or_else(PoisonError::into_inner);
            *noticed = noticed.take().or_else(|| notice(tally));
            noticed.is_some()
        });
        let (took, tried) = (began.elapsed(), tally.schedules());
        match noticed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((schedule, words)) => {
                killed += 1;
                writeln!(out, "  noticed   {sabotage:24} {tried:>5} schedules {took:>6.1?}  {schedule}  {words}")?;
            }
            None => writeln!(out, "  UNNOTICED {sabotage:24} {tried:>5} schedules {took:>6.1?}")?,
        }
        out.flush()?;
    }
    Ok((killed, Sabotage::ALL.len()))
}

/// What has shown a mistake: a broken rule, or a question that nobody would have to ask. Neither is there without it.
fn notice(tally: &Tally) -> Option<(Schedule, String)> {
    let breach = tally
        .failures
        .last()
        .map(|(schedule, breaches)| (schedule.clone(), breaches.first().map(ToString::to_string).unwrap_or_default()));
    let asked =
        tally.asked.iter().filter_map(|(reason, all)| Some((all.first()?.0.clone(), format!("asks: {reason}"))));
    let honest = |schedule: &Schedule| Schedule { sabotage: None, ..schedule.clone() };
    let is_well = |(schedule, _): &(Schedule, String)| {
        run(&honest(schedule)).is_ok_and(|ending| ending.breaches.is_empty() && ending.asked.is_none())
    };
    let (schedule, words) = breach.into_iter().chain(asked).find(is_well)?;
    Some((schedule, words.chars().take(120).collect()))
}
