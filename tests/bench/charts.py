"""Bars as SVG: one panel a point, one bar a peer, the median with its spread."""

import html
import statistics

ROW, PANEL_TITLE, GAP, MARGIN = 20, 26, 14, 12
NAME_WIDTH, BAR_WIDTH, VALUE_WIDTH = 110, 400, 190
WIDTH = MARGIN + NAME_WIDTH + BAR_WIDTH + VALUE_WIDTH
OURS, THEIRS = "#1f6f8b", "#b8b8b0"


def text(x, y, words, anchor="start", weight="normal", size=12):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
            f'font-size="{size}">{html.escape(words)}</text>')


def bar(y, name, values, scale):
    """A bar for the median of `values`; a thin line goes from the least to the most."""
    left = MARGIN + NAME_WIDTH
    middle = statistics.median(values)
    fill = OURS if name.startswith("pontoon") else THEIRS
    line = y + ROW / 2 - 2
    return [text(left - 6, y + ROW - 7, name, anchor="end"),
            f'<rect x="{left}" y="{y + 1:.1f}" width="{middle * scale:.1f}" height="{ROW - 6}" '
            f'fill="{fill}"/>',
            f'<line x1="{left + min(values) * scale:.1f}" x2="{left + max(values) * scale:.1f}" '
            f'y1="{line:.1f}" y2="{line:.1f}" stroke="#333"/>',
            text(left + max(values) * scale + 6, y + ROW - 7,
                 f"{middle:,.0f}" if middle >= 100 else f"{middle:,.1f}")]


def panel(y, title, bars):
    """The marks of one point from `y` on, and where they end. `bars`: (name, values)."""
    most = max(max(values) for _, values in bars)
    scale = BAR_WIDTH / most if most > 0 else 0
    marks = [text(MARGIN, y + 16, title, weight="bold")]
    y += PANEL_TITLE
    for name, values in bars:
        marks += bar(y, name, values, scale)
        y += ROW
    return marks, y + GAP


def chart(results, title, column):
    """A whole SVG of that column of the rows, all points of the run under each other."""
    marks = [text(MARGIN, 24, title, weight="bold", size=15)]
    y = 40
    for point in results.points:
        operation, connections, pipeline = point
        bars = [(peer, [row[column] for row in results.of(peer, point)])
                for peer in results.peers if results.of(peer, point)]
        if bars:
            name = f"{operation}, {connections} connection{'s' if connections > 1 else ''}"
            more, y = panel(y, name + (f", pipeline {pipeline}" if pipeline > 1 else ""), bars)
            marks += more
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y:.0f}" '
            f'viewBox="0 0 {WIDTH} {y:.0f}" font-family="sans-serif" fill="#222">')
    return "\n".join([head, f'<rect width="{WIDTH}" height="{y:.0f}" fill="#fff"/>', *marks,
                      "</svg>", ""])


def write(results, folder):
    """rates.svg and cpu.svg."""
    for name, title, column in (
            ("rates", "Requests a second (line: least to most of the rounds)", "rate"),
            ("cpu", "CPU of all servers, microseconds a request", "server_cpu_us")):
        with open(f"{folder}/{name}.svg", "w") as file:
            file.write(chart(results, title, column))
