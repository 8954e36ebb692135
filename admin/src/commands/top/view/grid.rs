//! The pages' tables: which rows, in which order, and which of them are bad news.
//!
//! A node that was asked at two addresses is one row, by its id.

use std::cmp::Reverse;

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Text;
use ratatui::widgets::{Cell, Row, Table};
use remora_overview::rates::{Server, Upstream};
use remora_overview::site::behind;
use remora_proto::v1::StoreStatus;
use remora_proto::v1::session_stats_request::By;

use super::super::model::Model;
use super::{change, rate};
use crate::render::{Cell as Value, printable, shown_bytes};

/// A column: its title, how wide it is, and whether it holds numbers. Of a width of 0 it takes what is left.
type Column = (&'static str, u16, bool);

/// A table that is about to be drawn.
pub(super) struct Grid {
    columns: Vec<Column>,
    /// The column that orders the rows.
    order: Option<usize>,
    /// Each with whether it is bad news.
    pub(super) rows: Vec<(Vec<String>, bool)>,
}

impl Grid {
    /// Draws as many rows as there is room for, from one on, and says how many are not shown.
    pub(super) fn draw(self, frame: &mut Frame<'_>, area: Rect, from: usize) {
        if area.height == 0 {
            return;
        }
        let room = usize::from(area.height) - 1;
        let from = from.min(self.rows.len().saturating_sub(room));
        let widths = self.columns.iter().map(|(_, width, _)| match width {
            0 => Constraint::Fill(1),
            width => Constraint::Length(*width),
        });
        let widths: Vec<Constraint> = widths.collect();
        let aligned = |column: usize, text: String| {
            let is_number = self.columns[column].2;
            let alignment = if is_number {
                Alignment::Right
            } else {
                Alignment::Left
            };
            Cell::from(Text::from(text).alignment(alignment))
        };
        let header = self.columns.iter().enumerate().map(|(index, (title, _, _))| {
            let style = if self.order == Some(index) {
                Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
            } else {
                Style::new()
            };
            aligned(index, (*title).to_owned()).style(style)
        });
        let header = Row::new(header.collect::<Vec<_>>()).style(Style::new().add_modifier(Modifier::BOLD));
        let rows = self
            .rows
            .into_iter()
            .skip(from)
            .take(room)
            .map(|(cells, is_bad)| {
                let cells = cells
                    .into_iter()
                    .enumerate()
                    .map(|(index, text)| aligned(index, printable(&text)));
                let style = if is_bad {
                    Style::new().fg(Color::Red)
                } else {
                    Style::new()
                };
                Row::new(cells.collect::<Vec<_>>()).style(style)
            });
        let table = Table::new(rows.collect::<Vec<_>>(), widths)
            .header(header)
            .column_spacing(1);
        frame.render_widget(table, area);
    }
}

/// A node, by whichever of its addresses answers.
pub(super) struct Member<'a> {
    address: &'a str,
    server: &'a Server<Box<StoreStatus>>,
    is_present: bool,
}

impl<'a> Member<'a> {
    /// Whether it answers, and may be asked for sessions.
    pub(super) fn is_ready(&self) -> bool {
        self.is_present && self.server.said.as_ref().is_some_and(|status| status.ready)
    }

    /// What it says, where it leads.
    pub(super) fn leads(&self) -> Option<&'a StoreStatus> {
        let status = self.server.said.as_deref()?;
        (self.is_present && status.role == "leader").then_some(status)
    }
}

/// The nodes by their ids, and those of whom nothing but the address is known.
pub(super) fn members(model: &Model) -> Vec<Member<'_>> {
    let mut members: Vec<Member<'_>> = Vec::new();
    let all = model.rates.nodes.iter().map(|(address, server)| Member {
        address,
        server,
        is_present: server.is_present(model.now),
    });
    let id = |member: &Member<'_>| member.server.said.as_ref().map(|status| status.node_id);
    for member in all {
        match members
            .iter_mut()
            .find(|other| id(other).is_some() && id(other) == id(&member))
        {
            Some(other) if member.is_present && !other.is_present => *other = member,
            Some(_) => {}
            None => members.push(member),
        }
    }
    // An address that never answered is one of a node that another names, where that is so.
    let named: Vec<String> = members
        .iter()
        .filter_map(|member| member.server.said.as_ref())
        .flat_map(|status| &status.members)
        .map(|member| member.client_address.clone())
        .collect();
    let known = members.iter().filter(|member| id(member).is_some()).count();
    let all = members
        .iter()
        .filter_map(|member| member.server.said.as_ref())
        .map(|status| status.members.len())
        .max();
    members.retain(|member| {
        id(member).is_some() || all != Some(known) || named.contains(&member.address.to_owned())
    });
    members.sort_by_key(|member| (id(member).is_none(), id(member)));
    members
}

/// The nodes of the store.
pub(super) fn site_nodes(model: &Model) -> Grid {
    let members = members(model);
    let leader = members.iter().find_map(Member::leads);
    let rows = members.iter().map(|member| {
        let Some(status) = &member.server.said else {
            let row = ["-", member.address, "no answer", "-", "-", "-", "-", "-", "-"];
            return (row.map(str::to_owned).to_vec(), true);
        };
        let behind = leader.and_then(|leader| behind(leader, status.node_id));
        let role = if member.is_present {
            status.role.as_str()
        } else {
            "no answer"
        };
        let row = vec![
            status.node_id.to_string(),
            member.address.to_owned(),
            role.to_owned(),
            if status.ready && member.is_present {
                "yes"
            } else {
                "no"
            }
            .to_owned(),
            behind.map_or_else(|| "-".to_owned(), |behind| behind.to_string()),
            rate(member.server.work.rate),
            status.sessions.to_string(),
            shown_bytes(status.session_bytes),
            Value::Seconds(status.uptime_seconds).to_string(),
        ];
        (row, !member.is_ready())
    });
    Grid {
        columns: vec![
            ("NODE", 4, true),
            ("CLIENT", 0, false),
            ("ROLE", 9, false),
            ("READY", 5, false),
            ("BEHIND", 6, true),
            ("APPLIED/S", 9, true),
            ("SESSIONS", 9, true),
            ("BYTES", 9, true),
            ("UP", 7, true),
        ],
        order: None,
        rows: rows.collect(),
    }
}

/// Sessions in groups.
pub(super) fn sessions(model: &Model) -> Grid {
    let order = model.order();
    let mut groups: Vec<_> = model.groups.iter().collect();
    let all: u64 = groups.iter().map(|(_, group)| group.sessions).sum();
    // By name they are already.
    match order {
        0 => groups.sort_by_key(|(_, group)| Reverse(group.sessions)),
        1 => groups.sort_by_key(|(_, group)| Reverse(group.bytes)),
        2 => groups.sort_by(|(_, one), (_, other)| {
            let size = |rate: Option<f64>| rate.map_or(0.0, f64::abs);
            size(other.change.rate).total_cmp(&size(one.change.rate))
        }),
        _ => {}
    }
    let rows = groups.into_iter().map(|(name, group)| {
        let name = if name.is_empty() { "nobody" } else { name };
        let share = group.sessions.saturating_mul(100).checked_div(all).unwrap_or(0);
        let row = vec![
            name.to_owned(),
            group.sessions.to_string(),
            format!("{share}%"),
            shown_bytes(group.bytes),
            change(group.change.rate),
        ];
        (row, false)
    });
    let title = if model.by == By::Owner {
        "OWNER"
    } else {
        "APPLICATION"
    };
    Grid {
        columns: vec![
            (title, 0, false),
            ("SESSIONS", 10, true),
            ("SHARE", 6, true),
            ("BYTES", 10, true),
            ("CHANGE/S", 9, true),
        ],
        order: Some([1, 3, 4, 0][order]),
        rows: rows.collect(),
    }
}

/// Upstreams of all proxies; the one of a proxy that is silent is bad news, too.
pub(super) fn upstreams(model: &Model) -> Grid {
    // On the page of the site they are in the order of their names.
    let order = if model.page == super::Page::Upstreams {
        model.order()
    } else {
        4
    };
    let mut upstreams: Vec<_> = model.rates.upstreams.iter().collect();
    let most = |rate: Option<f64>| rate.unwrap_or(0.0);
    let by = |key: fn(&Upstream) -> Option<f64>| {
        move |one: &(_, &Upstream), other: &(_, &Upstream)| most(key(other.1)).total_cmp(&most(key(one.1)))
    };
    match order {
        0 => upstreams.sort_by(by(|upstream| upstream.answered.rate)),
        1 => upstreams.sort_by_key(|(_, upstream)| Reverse(upstream.status.in_flight)),
        2 => upstreams.sort_by(by(|upstream| upstream.failed.rate)),
        3 => upstreams.sort_by_key(|(_, upstream)| Reverse(upstream.status.failed)),
        _ => {}
    }
    let rows = upstreams
        .into_iter()
        .map(|((proxy, pool, route, url), upstream)| {
            let status = &upstream.status;
            let is_silent = model
                .rates
                .proxies
                .get(proxy)
                .is_none_or(|proxy| !proxy.is_present(model.now));
            let health = if is_silent {
                "unknown"
            } else {
                status.health.as_str()
            };
            let row = vec![
                proxy.clone(),
                pool.clone(),
                if route.is_empty() {
                    url.clone()
                } else {
                    route.clone()
                },
                health.to_owned(),
                status.state.clone(),
                rate(upstream.answered.rate),
                status.in_flight.to_string(),
                status.tunnels.to_string(),
                rate(upstream.failed.rate),
                status.failed.to_string(),
            ];
            (row, health != "up" && status.state != "stopped")
        });
    Grid {
        columns: vec![
            ("PROXY", 0, false),
            ("POOL", 7, false),
            ("ROUTE", 6, false),
            ("HEALTH", 7, false),
            ("STATE", 9, false),
            ("REQ/S", 6, true),
            ("FLIGHT", 6, true),
            ("WS", 3, true),
            ("FAIL/S", 6, true),
            ("FAILED", 6, true),
        ],
        order: [Some(5), Some(6), Some(8), Some(9), None]
            .get(order)
            .copied()
            .flatten(),
        rows: rows.collect(),
    }
}

/// What changed lately, latest first.
pub(super) fn changes(model: &Model) -> Grid {
    let rows = model.changes.iter().rev().map(|(proxy, change)| {
        let why = match (change.why.as_str(), change.who.as_str()) {
            ("", who) => who.to_owned(),
            (why, "") => why.to_owned(),
            (why, who) => format!("{why} ({who})"),
        };
        let row = vec![
            clock(change.at_ms),
            proxy.clone(),
            change.of.clone(),
            change.what.clone(),
            why,
        ];
        (row, false)
    });
    Grid {
        columns: vec![
            ("AT (UTC)", 8, false),
            ("PROXY", 15, false),
            ("OF", 8, false),
            ("WHAT", 0, false),
            ("WHY, WHO", 24, false),
        ],
        order: None,
        rows: rows.collect(),
    }
}

/// The time of day of a moment in milliseconds since 1970.
fn clock(at_ms: u64) -> String {
    let second = at_ms / 1_000 % 86_400;
    format!("{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}
