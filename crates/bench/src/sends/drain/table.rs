//! The figures of a drain as text, and what they should be.

use std::time::Duration;

use super::{Drained, Rounds, limit};
use crate::report::{Bound, Goal, Table};
use crate::sends::simulator::LATENCY;
use crate::sends::tenants::Shape;
use crate::spent::Spent;
use crate::statistics::{each, median, number, rate};

/// Messages a second that one worker should send.
const RATE: f64 = 5000.0;
/// Messages that a call should carry while many wait.
const FILLED: f64 = 40.0;

/// Prints the figures; answers the goals.
pub(super) fn tell(
    workers: &[Rounds<Shape>],
    plain: &[Drained],
    limits: &[Rounds<limit::Case>],
) -> Vec<Goal> {
    let mut table = Table::new([
        "",
        "messages/s",
        "of plain SQL",
        "of the stand-in",
        "calls",
        "messages a call",
        "worker CPU µs",
        "Postgres CPU µs",
        "RabbitMQ CPU µs",
        "stand-in CPU µs",
    ]);
    let mut goals = Vec::new();
    for (shape, rounds) in workers {
        line(&mut table, &format!("worker, {}", shape.name()), rounds, &[plain, &limits[0].1]);
        let goal = |what: &str, of: fn(&Drained) -> f64, least| {
            let what = format!("{what}: {}", shape.name());
            let measured = median(rounds.iter().map(of));
            Goal { what, measured, bound: Bound::AtLeast(least), unit: "" }
        };
        goals.push(goal("messages a second from one worker", per_second, RATE));
        goals.push(goal("messages a call under backlog", a_call, FILLED));
    }
    line(&mut table, "plain SQL, same rows in the same tables, two connections", plain, &[]);
    for (case, rounds) in limits {
        line(&mut table, case.name, rounds, &[]);
    }
    println!("\n{}", table.text().trim_end());
    println!("\n  CPU is of each message. The stand-in takes {LATENCY} for a call, unless told otherwise.");
    goals
}

/// Adds a line, with its share of each of these in percent.
fn line(table: &mut Table, name: &str, rounds: &[Drained], bases: &[&[Drained]]) {
    let of = |what: &dyn Fn(&Drained) -> f64| median(rounds.iter().map(what));
    let share = |base: usize| {
        let Some(base) = bases.get(base) else { return String::new() };
        let pairs = rounds.iter().zip(*base);
        let share = 100.0 * median(pairs.map(|(one, base)| per_second(one) / per_second(base).max(1e-9)));
        format!("{share:.0} %")
    };
    let calls = of(&|one| number(one.calls));
    let cpu = |part: fn(&Spent) -> Duration| {
        let used = of(&|one| each(part(&one.spent), one.messages));
        if used > 0.0 { format!("{used:.1}") } else { String::new() }
    };
    let if_called = |text: String| if calls > 0.0 { text } else { String::new() };
    table.add([
        name.to_owned(),
        format!("{:.0}", of(&per_second)),
        share(0),
        share(1),
        if_called(format!("{calls:.0}")),
        if_called(format!("{:.1}", of(&a_call))),
        cpu(|spent| spent.program),
        cpu(|spent| spent.postgres),
        cpu(|spent| spent.rabbitmq),
        cpu(|spent| spent.simulator),
    ]);
}

fn per_second(one: &Drained) -> f64 {
    rate(one.messages, one.time)
}

fn a_call(one: &Drained) -> f64 {
    number(one.messages) / number(one.calls.max(1))
}
