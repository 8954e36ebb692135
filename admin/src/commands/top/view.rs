//! The screen: lines on top that sum the site up, a page, and the keys. Pure: a model in, letters out.
//!
//! It works at 80 columns and 24 rows, and shows more where there is more room. What does not answer is named in red, and
//! where colours are not, in words.

mod grid;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use remora_overview::judge::judge;
use remora_proto::v1::session_stats_request::By;

use self::grid::{changes, sessions, site_nodes, upstreams};
use super::model::{Model, Page};
use crate::render::{printable, shown_bytes};

/// Rows of the summary.
const SUMMARY_ROWS: u16 = 5;

const HELP: &[&str] = &[
    "1 to 4, tab  the site, its sessions, its upstreams, what changed lately",
    "s            sort by the next column",
    "o            sessions by application or by owner",
    "p, space     pause, and go on",
    "up, down     scroll",
    "h, ?         this",
    "q            leave",
    "",
    "Rates are of the last second. Sessions are counted while you look at them, and seldom where there are many.",
    "For programs: remora status -o json. Over days: docs/metrics.md.",
];

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model) {
    let [summary, page, keys] = Layout::vertical([
        Constraint::Length(SUMMARY_ROWS),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    draw_summary(frame, model, summary);
    if model.is_helping {
        let lines: Vec<Line<'_>> = HELP.iter().map(|line| Line::from(*line)).collect();
        frame.render_widget(
            Paragraph::new(lines).wrap(ratatui::widgets::Wrap { trim: false }),
            page,
        );
    } else {
        draw_page(frame, model, page);
    }
    draw_keys(frame, model, keys);
}

fn draw_summary(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let bad = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
    let troubles = troubles(model);
    let trouble = match &troubles[..] {
        [] => Line::default(),
        [first] => Line::styled(format!("! {first}"), bad),
        [first, more @ ..] => Line::styled(format!("! {first} (and {} more)", more.len()), bad),
    };
    let lines = vec![
        store_line(model),
        sessions_line(model),
        proxies_line(model),
        trouble,
    ];
    frame.render_widget(Paragraph::new(lines), area);
}

fn store_line(model: &Model) -> Line<'static> {
    if model.rates.nodes.is_empty() {
        return Line::from("store    not asked: name it with --store");
    }
    let nodes = grid::members(model);
    let ready = nodes.iter().filter(|node| node.is_ready()).count();
    let mut line = format!("store    {ready} of {} nodes ready", nodes.len());
    match nodes.iter().find_map(|node| node.leads()) {
        Some(leader) => {
            line += &format!(
                ", node {} leads, {} commits/s",
                leader.node_id,
                rate(model.rates.commits.rate)
            );
        }
        None => line += ", nobody leads",
    }
    Line::from(line)
}

fn sessions_line(model: &Model) -> Line<'static> {
    let nodes = grid::members(model);
    Line::from(match nodes.iter().find_map(grid::Member::leads) {
        Some(leader) => format!(
            "sessions {}, {}, changing by {}/s",
            leader.sessions,
            shown_bytes(leader.session_bytes),
            change(model.rates.sessions.rate)
        ),
        None => "sessions unknown".to_owned(),
    })
}

fn proxies_line(model: &Model) -> Line<'static> {
    if model.rates.proxies.is_empty() {
        return Line::from("proxies  not asked: name them with --proxy");
    }
    let present = model
        .rates
        .proxies
        .values()
        .filter(|proxy| proxy.is_present(model.now))
        .count();
    let rates = model.rates.proxies.values().filter_map(|proxy| proxy.work.rate);
    let requests = rates.reduce(|all, one| all + one);
    let failures = model
        .rates
        .upstreams
        .values()
        .filter_map(|upstream| upstream.failed.rate);
    let failures = failures.reduce(|all, one| all + one);
    let in_flight: u64 = model
        .rates
        .upstreams
        .values()
        .map(|upstream| upstream.status.in_flight)
        .sum();
    Line::from(format!(
        "proxies  {present} of {} answer, {} requests/s, {in_flight} in flight, {} failed/s",
        model.rates.proxies.len(),
        rate(requests),
        rate(failures),
    ))
}

/// What needs a person, as `remora status` says it.
fn troubles(model: &Model) -> Vec<String> {
    // Before everybody was asked once, silence says nothing.
    if !model.rates.is_whole() {
        return Vec::new();
    }
    let troubles = judge(&model.rates.site(model.now)).troubles;
    troubles.iter().map(|trouble| printable(&trouble.what)).collect()
}

fn draw_page(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    match model.page {
        Page::Site => {
            let nodes = site_nodes(model);
            let height = u16::try_from(nodes.rows.len() + 2).unwrap_or(u16::MAX);
            let [above, below] = Layout::vertical([Constraint::Max(height), Constraint::Min(0)]).areas(area);
            nodes.draw(frame, above, 0);
            upstreams(model).draw(frame, below, model.top);
        }
        Page::Sessions => {
            let [above, below] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
            frame.render_widget(Line::from(counted_line(model)), above);
            sessions(model).draw(frame, below, model.top);
        }
        Page::Upstreams => upstreams(model).draw(frame, area, model.top),
        Page::Changes => changes(model).draw(frame, area, model.top),
    }
}

fn counted_line(model: &Model) -> String {
    let by = if model.by == By::Owner {
        "owner"
    } else {
        "application"
    };
    match &model.counted {
        None => format!("sessions by {by}: being counted"),
        Some(Err(why)) => format!("sessions by {by} are not known: {}", printable(why)),
        Some(Ok(at)) => {
            let ago = model.now.saturating_sub(*at).as_secs();
            format!("sessions by {by} (o: by the other), counted {ago} s ago")
        }
    }
}

fn draw_keys(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let pages = [
        ("1 site", Page::Site),
        ("2 sessions", Page::Sessions),
        ("3 upstreams", Page::Upstreams),
        ("4 changes", Page::Changes),
    ];
    let mut spans = Vec::new();
    for (name, page) in pages {
        let style = if page == model.page {
            Style::new().add_modifier(Modifier::REVERSED)
        } else {
            Style::new()
        };
        spans.extend([Span::styled(format!(" {name} "), style), Span::raw(" ")]);
    }
    spans.push(Span::raw("s sort  p "));
    spans.push(if model.is_paused {
        Span::styled("PAUSED", Style::new().add_modifier(Modifier::BOLD))
    } else {
        Span::raw("pause")
    });
    spans.push(Span::raw("  h help  q quit"));
    frame.render_widget(Line::from(spans), area);
}

/// So many a second, or that it is not known yet.
fn rate(rate: Option<f64>) -> String {
    match rate {
        None => "-".to_owned(),
        Some(rate) if rate < 10.0 => format!("{rate:.1}"),
        Some(rate) => format!("{rate:.0}"),
    }
}

/// So many more or fewer a second.
fn change(change: Option<f64>) -> String {
    match change {
        None => "-".to_owned(),
        Some(change) if change.abs() < 0.05 => "0".to_owned(),
        Some(change) if change.abs() < 10.0 => format!("{change:+.1}"),
        Some(change) => format!("{change:+.0}"),
    }
}

#[cfg(test)]
mod tests;
