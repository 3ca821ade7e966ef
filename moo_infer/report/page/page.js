"use strict";
// Draws the pictures of the page from the data in it. Names are other people's text: they reach the document through
// textContent, and plotly, which reads a little HTML in its texts, through esc() or flat().
(() => {
  const D = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const ALL = "all";
  const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
  const DASHES = ["solid", "dash", "dot", "dashdot"];
  // Of a light and of a dark page; paper is light whatever the screen is.
  const THEMES = {
    light: { ink: "#1b1b1b", paper: "#ffffff", grid: "#e6e6e6", line: "#999999", grey: "#777777", light: "#c4c4c4", limit: "#A33E00" },
    dark: { ink: "#ececec", paper: "#17191c", grid: "#33373d", line: "#7d838c", grey: "#a0a0a0", light: "#565b63", limit: "#ff9d5c" },
  };
  const screen = window.matchMedia("(prefers-color-scheme: dark)");
  let printing = false;
  let T = THEMES.light;
  const FAR = 2; // a limit that is this many spans of the data beyond them is named, not drawn
  const BUTTONS = { flat: ["toImage", "zoom2d", "pan2d", "resetScale2d"], solid: ["toImage", "zoom3d", "orbitRotation", "pan3d", "resetCameraDefault3d"] };

  const esc = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  // The axes of a 3-D scene take tags out but leave entities in.
  const flat = (text) => String(text).replace(/</g, "‹").replace(/>/g, "›");
  const short = (text, most = 44) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
  const number = (value) => (value === null ? "?" : String(Number(value.toPrecision(4))));
  const curveOf = new Map(D.curves.flatMap((curve, c) => curve.rows.map((row, i) => [row, [c, i]])));
  const colour = (c) => (c % COLOURS.length === COLOURS.length - 1 ? T.ink : COLOURS[c % COLOURS.length]);
  const parts = (hex) => [1, 3, 5].map((p) => parseInt(hex.slice(p, p + 2), 16));
  // A share of a colour on the page's own.
  const mix = (hex, share) => `#${parts(hex).map((v, n) => Math.round(parts(T.paper)[n] * (1 - share) + v * share).toString(16).padStart(2, "0")).join("")}`;
  const ink = (hex) => ([0.299, 0.587, 0.114].reduce((sum, w, n) => sum + w * parseInt(hex.slice(1 + 2 * n, 3 + 2 * n), 16), 0) > 130 ? "#000" : "#fff");
  const dash = (c) => DASHES[Math.floor(c / COLOURS.length) % DASHES.length];

  // What an axis can show: the objectives, and k.
  const AXES = [
    ...D.objectives.map((o, j) => ({ ...o, of: (c, i) => D.curves[c].mean[j][i], limits: (s) => s.limits.filter((l) => l.objective === j) })),
    { name: "k", unit: "samples", ideal: 0, up: false, of: (c, i) => D.curves[c].k[i], limits: () => [] },
  ];
  const named = (axis) => axis.name + (axis.unit ? ` (${axis.unit})` : "");
  // What spans more than two decades above 0 is drawn on a logarithmic axis.
  const scaled = (axis, values) => {
    const [least, most] = extent(values);
    const log = !axis.up && least > 0 && most > 100 * least;
    return log ? { ...logarithmic(least, most), label: `${named(axis)}, log scale` } : { type: "linear", label: named(axis) };
  };
  // A logarithmic axis with its numbers written out: 1, 2 and 5 of every decade, or the decades where these are many.
  const logarithmic = (least, most) => {
    const decades = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
    const steps = decades[1] - decades[0] > 4 ? [1] : [1, 2, 5];
    const ticks = [];
    for (let d = decades[0]; d <= decades[1]; d++) for (const step of steps) ticks.push(Number(`${step}e${d}`));
    return { type: "log", tickvals: ticks, ticktext: ticks.map(number) };
  };
  // Where the cells of values end: half way to the next one, on a logarithmic axis in its logarithm.
  const borders = (v) => {
    if (v.length < 2) return [v[0] - 0.5, v[0] + 0.5];
    const log = v[0] > 0 && v[v.length - 1] > 10 * v[0];
    const [to, back] = log ? [Math.log, Math.exp] : [Number, Number];
    const t = v.map((value) => to(value));
    const inner = t.slice(1).map((value, i) => (value + t[i]) / 2);
    return [(3 * t[0] - t[1]) / 2, ...inner, (3 * t[t.length - 1] - t[t.length - 2]) / 2].map((value) => back(value));
  };
  const extent = (values) => values.reduce(([a, b], v) => (v === null ? [a, b] : [Math.min(a, v), Math.max(b, v)]), [Infinity, -Infinity]);
  const spread = ({ label, ...axis }) => axis;
  const near = (worst, values) => {
    const [least, most] = extent(values);
    const span = Math.max(most - least, 1e-9 * Math.abs(most));
    return worst >= least - FAR * span && worst <= most + FAR * span;
  };

  const hover = (c, i, extra = "") => {
    const curve = D.curves[c];
    const lines = D.objectives.map((o, j) => {
      const ends = curve.other[j];
      const interval = ends && ends[0][i] !== null ? ` [${number(ends[0][i])}, ${number(ends[1][i])}]` : "";
      const range = curve.low[j][i] === null ? "" : `, 95 % of queries within ${number(curve.low[j][i])} to ${number(curve.high[j][i])}`;
      return esc(`${`${o.name} ${number(curve.mean[j][i])}${interval} ${o.unit}`.trim()}${range}`);
    });
    return [extra && `<b>${esc(extra)}</b>`, esc(`${curve.label}, k = ${curve.k[i]}, ${curve.parallelism} at a time`), ...lines].filter(Boolean).join("<br>");
  };

  const state = () => {
    const scenario = D.scenarios[at("scenario").selectedIndex];
    const curve = at("curve").value === ALL ? null : Number(at("curve").value);
    const shown = curve === null ? D.curves.map((_, c) => c) : [curve];
    return { scenario, curve, shown, choices: scenario.choices.filter((c) => c.row !== null && c.curve === curve) };
  };
  const pooled = (scenario) => scenario.choices.filter((c) => c.row !== null && c.curve === null);
  const places = (c) => D.curves[c].rows.map((_, i) => i);
  const values = (axis, shown) => shown.flatMap((c) => places(c).map((i) => axis.of(c, i)));

  // Shapes of the choices: open and of different sizes, so that those on the same point stay visible.
  const marks = (choices, draw) =>
    choices.map((choice) => {
      const [c, i] = curveOf.get(choice.row);
      const s = D.selectors[choice.selector];
      return { ...draw(c, i, s, Math.max(9, 23 - 3 * choice.selector)), hovertext: [hover(c, i, `${s.name}: k = ${D.curves[c].k[i]}`)], hoverinfo: "text", name: esc(s.name), showlegend: false };
    });
  const marks2d = (choices, x, y, axes = {}) =>
    marks(choices, (c, i, s, size) => ({ type: "scatter", mode: "markers", x: [x(c, i)], y: [y(c, i)], ...axes, marker: { symbol: s.symbol, size, color: T.ink, line: { width: 2, color: T.ink } } }));

  const config = (kind) => ({
    responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "", topojsonURL: "about:blank", typesetMath: false,
    scrollZoom: false, showTips: false, modeBarButtons: [BUTTONS[kind]], displayModeBar: true,
  });
  const font = () => ({ family: "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif", size: 13, color: T.ink });
  const base = (more) => ({
    font: font(), paper_bgcolor: T.paper, plot_bgcolor: T.paper, hovermode: "closest", hoverlabel: { bgcolor: T.paper, bordercolor: T.line, align: "left", font: font() },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: T.grey, activecolor: T.ink }, margin: { l: 70, r: 20, t: 44, b: 50 }, legend: { orientation: "h", y: -0.25, yanchor: "top" }, ...more,
  });
  const lines = () => ({ gridcolor: T.grid, zeroline: false, linecolor: T.line, ticks: "outside", tickcolor: T.line, automargin: true, exponentformat: "power" });
  const draw = (id, kind, data, layout) => Plotly.react(at(id), data, base(layout), config(kind));
  const narrow = () => at("curves").clientWidth < 600;
  const empty = (id, text) => draw(id, "flat", [], { height: 120, xaxis: { visible: false }, yaxis: { visible: false }, annotations: [{ text: esc(text), showarrow: false, x: 0.5, y: 0.5, xref: "paper", yref: "paper" }] });
  const say = (id, text) => { at(id).textContent = text; };

  // ---- the space of three objectives
  function spaceFigure() {
    const { scenario, shown, choices, curve } = state();
    const axes = ["x", "y", "z"].map((a) => AXES[at(`space-${a}`).selectedIndex]);
    const all = axes.map((axis) => values(axis, shown));
    const kinds = axes.map((axis, a) => scaled(axis, all[a]));
    const xyz = (points) => Object.fromEntries(["x", "y", "z"].map((a, n) => [a, points.map(([c, i]) => axes[n].of(c, i))]));
    const data = [];
    const outside = [];
    for (const c of shown) {
      const points = places(c).map((i) => [c, i]);
      const met = scenario.feasible[c];
      data.push({
        type: "scatter3d", mode: "lines+markers", ...xyz(points), name: esc(short(D.curves[c].label)), showlegend: curve === null,
        line: { color: colour(c), width: 3, dash: dash(c) }, hovertext: points.map(([, i]) => hover(c, i, met[i] ? "" : "outside the limits")), hoverinfo: "text",
        marker: { size: curve === null ? 2.5 : 4, color: points.map(([, i]) => (met[i] ? colour(c) : T.light)), line: { width: 0 } }
      });
    }
    const ends = axes.map((axis, a) => {
      const [least, most] = extent(all[a]);
      const limit = axis.limits(scenario)[0];
      if (!limit) return [least, most, false];
      if (!near(limit.worst, all[a]) || (kinds[a].type === "log" && limit.worst <= 0)) { outside.push(`the limit ${limit.text} is too far away to be drawn`); return [least, most, false]; }
      const ideal = kinds[a].type === "log" ? Math.min(least, limit.worst) : axis.ideal;
      return [Math.min(ideal, limit.worst), Math.max(ideal, limit.worst), true];
    });
    if (ends.some(([, , limited]) => limited)) {
      const [X, Y, Z] = ends;
      const edges = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1], [0, 0, 1], null, [1, 0, 0], [1, 0, 1], null, [1, 1, 0], [1, 1, 1], null, [0, 1, 0], [0, 1, 1]];
      const [x, y, z] = [X, Y, Z].map((end, n) => edges.map((e) => (e ? end[e[n]] : null)));
      data.push({ type: "scatter3d", mode: "lines", x, y, z, connectgaps: false, hoverinfo: "skip", name: "box of the limits", line: { color: T.limit, width: 2 }, showlegend: true });
    }
    data.push(...marks(choices, (c, i, s, size) => ({ type: "scatter3d", mode: "text", ...xyz([[c, i]]), text: [s.glyph], textposition: "middle center", textfont: { size: size + 6, color: T.ink } })));
    const scene = Object.fromEntries(axes.map((axis, n) => [`${"xyz"[n]}axis`, { title: { text: flat(short(kinds[n].label, 44)) }, ...spread(kinds[n]), gridcolor: T.grid, backgroundcolor: T.paper, showspikes: false, exponentformat: "power", nticks: 6 }]));
    const layout = { height: 620, margin: { l: 0, r: 0, t: 30, b: 0 }, legend: { orientation: "h", y: 0, yanchor: "top" }, scene: { ...scene, aspectmode: "cube", camera: { eye: narrow() ? { x: 2.1, y: -2.24, z: 1.05 } : { x: 1.5, y: -1.6, z: 0.75 }, center: { x: 0, y: 0, z: -0.1 } } }, uirevision: axes.map((a) => a.name).join() };
    const percentiles = axes.flatMap((axis) => axis.limits(scenario)).filter((l) => l.statistic !== "mean").map((l) => l.text);
    if (percentiles.length) outside.push(`points are means, but limited is ${percentiles.join(", ")}`);
    return [data, layout, outside.length ? `Note: ${outside.join("; ")}.` : ""];
  }
  function space() {
    const [data, layout, note] = spaceFigure();
    draw("space", "solid", data, layout);
    say("space-note", note);
  }

  // ---- every objective against k
  function curves() {
    const { scenario, shown, choices, curve } = state();
    const data = [];
    const layout = { height: 60 + 250 * D.objectives.length, grid: { rows: D.objectives.length, columns: 1, pattern: "independent", ygap: narrow() ? 0.4 : 0.28 }, annotations: [], showlegend: curve === null, legend: { orientation: "h", y: -0.11, yanchor: "top" } };
    D.objectives.forEach((objective, j) => {
      const n = j ? j + 1 : "";
      const on = { xaxis: `x${n}`, yaxis: `y${n}` };
      const heights = shown.flatMap((c) => [...D.curves[c].mean[j], ...(curve === null ? [] : [...D.curves[c].low[j], ...D.curves[c].high[j]])]);
      const kind = scaled(objective, heights);
      for (const c of shown) {
        const { k, mean, low, high, label } = D.curves[c];
        if (curve !== null && low[j].some((v) => v !== null)) {
          data.push({ type: "scatter", mode: "lines", x: k, y: low[j], line: { width: 0 }, hoverinfo: "skip", showlegend: false, ...on });
          data.push({ type: "scatter", mode: "lines", x: k, y: high[j], line: { width: 0 }, fill: "tonexty", fillcolor: mix(colour(c), 0.18), hoverinfo: "skip", showlegend: false, name: "95 % band", ...on });
        }
        if (curve !== null && D.curves[c].other[j]) {
          const [bottom, top] = D.curves[c].other[j];
          data.push({ type: "scatter", mode: "lines", x: k, y: bottom, line: { width: 0 }, hoverinfo: "skip", showlegend: false, ...on });
          data.push({ type: "scatter", mode: "lines", x: k, y: top, line: { width: 0 }, fill: "tonexty", fillcolor: mix(colour(c), 0.45), hoverinfo: "skip", showlegend: false, name: "95 % of the mean", ...on });
        }
        const met = scenario.feasible[c];
        const tone = colour(c);
        data.push({
          type: "scatter", mode: "lines+markers", x: k, y: mean[j], name: esc(short(label)), legendgroup: `c${c}`, showlegend: curve === null && j === 0, line: { color: tone, width: 2, dash: dash(c) },
          marker: { size: curve === null ? 4 : 6, symbol: met.map((m) => (m ? "circle" : "circle-open")), color: met.map((m) => (m ? tone : T.grey)) },
          hovertext: places(c).map((i) => hover(c, i, met[i] ? "" : "outside the limits")), hoverinfo: "text", ...on,
        });
      }
      const ks = extent(shown.flatMap((c) => D.curves[c].k));
      const words = [];
      for (const limit of scenario.limits.filter((l) => l.objective === j)) {
        const drawn = near(limit.worst, heights) && !(kind.type === "log" && limit.worst <= 0);
        if (drawn) data.push({ type: "scatter", mode: "lines", x: ks, y: [limit.worst, limit.worst], line: { color: T.limit, width: 2, dash: "dash" }, hovertext: esc(`limit: ${limit.text}`), hoverinfo: "text", showlegend: false, ...on });
        words.push(`limit: ${limit.text}${drawn ? " (dashed)" : ", far beyond this picture"}`);
      }
      layout.annotations.push({ text: `<b>${esc(short(kind.label, 50))}</b>${words.length ? `${narrow() ? "<br>" : "&nbsp;&nbsp;&nbsp;"}<span style="color:${T.limit}">${words.map(esc).join(narrow() ? "<br>" : "; ")}</span>` : ""}`, xref: `x${n} domain`, yref: `y${n} domain`, x: 0, y: 1.02, xanchor: "left", yanchor: "bottom", align: "left", showarrow: false });
      layout[`xaxis${n}`] = { ...lines(), title: { text: j === D.objectives.length - 1 ? "k, number of samples" : "" } };
      layout[`yaxis${n}`] = { ...lines(), ...spread(kind), title: { text: esc(short(objective.unit, 20)) } };
      data.push(...marks2d(choices, (c, i) => D.curves[c].k[i], (c, i) => D.curves[c].mean[j][i], on));
    });
    draw("curves", "flat", data, layout);
    const name = curve === null ? "every model" : D.curves[curve].label;
    const simulated = curve === null ? [] : D.objectives.filter((_, j) => D.curves[curve].simulated[j]).map((o) => o.name);
    say("curves-note", `${scenario.name}, ${name}. ${simulated.length ? `Bands that are simulated: ${simulated.join(", ")}. ` : ""}`);
  }

  // ---- the Pareto front of the pool
  function front() {
    const { scenario } = state();
    if (!scenario.front.length) return empty("front", `${scenario.name}: nothing meets the limits, so there is no front.`);
    const [x, y] = ["x", "y"].map((a) => AXES[at(`front-${a}`).selectedIndex]);
    const on = new Set(scenario.front);
    const data = [];
    const rest = D.curves.flatMap((curve, c) => places(c).filter((i) => scenario.feasible[c][i] && !on.has(curve.rows[i])).map((i) => [c, i]));
    const trace = (points, more) => ({ type: "scatter", x: points.map(([c, i]) => x.of(c, i)), y: points.map(([c, i]) => y.of(c, i)), hoverinfo: "text", ...more });
    if (rest.length) data.push(trace(rest, { mode: "markers", name: "within the limits, but beaten", marker: { size: 5, color: T.light }, hovertext: rest.map(([c, i]) => hover(c, i, "beaten by another in every objective or equal")) }));
    D.curves.forEach((curve, c) => {
      const points = places(c).filter((i) => on.has(curve.rows[i])).map((i) => [c, i]);
      if (points.length) data.push(trace(points, { mode: "lines+markers", name: esc(short(curve.label)), line: { color: colour(c), width: 1, dash: dash(c) }, marker: { size: 8, color: colour(c) }, hovertext: points.map(([, i]) => hover(c, i))}));
    });
    data.push(...marks2d(pooled(scenario), x.of, y.of));
    const kinds = [x, y].map((axis) => scaled(axis, data.flatMap((t) => (axis === x ? t.x : t.y))));
    draw("front", "flat", data, { height: 480, xaxis: { ...lines(), ...spread(kinds[0]), title: { text: esc(short(kinds[0].label, 60)) } }, yaxis: { ...lines(), ...spread(kinds[1]), title: { text: esc(short(kinds[1].label, 40)) } }, showlegend: true });
  }

  // ---- what would be chosen under other limits
  function map() {
    const { scenario } = state();
    const m = scenario.map;
    if (!m) return;
    const [x, y] = [D.objectives[m.x], D.objectives[m.y]];
    const colours = m.regions.map((r) => (r.curve === null ? (r.feasible ? T.light : T.grid) : mix(colour(r.curve), 0.35 + 0.65 * r.tone)));
    const words = (r) => (r.curve !== null ? `${D.curves[r.curve].label}, k = ${r.k}` : r.feasible ? `no answer: ${m.reason}` : "nothing meets the limits");
    const side = (axis, statistic, limit) => `${limit} on ${statistic === "mean" ? "mean " : `${statistic} `}${named(axis)}`;
    const sign = (axis) => (axis.up ? "≥" : "≤");
    const edges = [m.x_values, m.y_values].map(borders);
    const data = m.regions.map((region, r) => {
      const [px, py] = [[], []];
      m.cells.forEach((row, v) => {
        for (let h = 0; h < row.length; h++) {
          if (row[h] !== r) continue;
          let end = h;
          while (row[end + 1] === r) end++;
          const [left, right, low, high] = [edges[0][h], edges[0][end + 1], edges[1][v], edges[1][v + 1]];
          px.push(left, right, right, left, left, null);
          py.push(low, low, high, high, low, null);
          h = end;
        }
      });
      return { type: "scatter", mode: "lines", x: px, y: py, fill: "toself", fillcolor: colours[r], line: { width: 0.5, color: colours[r] }, hoverinfo: "skip", showlegend: false };
    });
    const cells = m.cells.flatMap((row, v) => row.map((r, h) => [h, v, r]));
    data.push({
      type: "scatter", mode: "markers", x: cells.map(([h]) => m.x_values[h]), y: cells.map(([, v]) => m.y_values[v]), marker: { size: 10, opacity: 0 }, hoverinfo: "text", showlegend: false, name: "cells",
      hovertext: cells.map(([h, v, r]) => `${esc(`${x.name} ${sign(x)} ${number(m.x_values[h])}, ${y.name} ${sign(y)} ${number(m.y_values[v])}`)}<br><b>${esc(words(m.regions[r]))}</b>`),
    });
    const owners = new Map();
    m.regions.forEach((r, n) => { const key = r.curve === null ? words(r) : r.curve; owners.set(key, [...(owners.get(key) || []), n]); });
    for (const [key, mine] of owners) {
      const ks = mine.map((n) => m.regions[n].k);
      const listed = ks.length > 5 ? `${ks[0]} to ${ks[ks.length - 1]}` : ks.join(", ");
      const name = typeof key === "string" ? short(key, 70) : `${short(D.curves[key].label)}: k = ${listed}`;
      data.push({ type: "scatter", mode: "markers", x: [null], y: [null], name: esc(name), marker: { symbol: "square", size: 13, color: colours[mine[mine.length - 1]], line: { width: 1, color: "#555" } }, hoverinfo: "skip" });
    }
    const spots = m.regions.filter((r) => r.spot && r.curve !== null);
    data.push({ type: "scatter", mode: "text", x: spots.map((r) => m.x_values[r.spot[0]]), y: spots.map((r) => m.y_values[r.spot[1]]), text: spots.map((r) => `k = ${r.k}`), textfont: { color: spots.map((r) => ink(colours[m.regions.indexOf(r)])), size: 13 }, hoverinfo: "skip", showlegend: false });
    const [own, across] = m.limits;
    const ends = (ticks) => [ticks[0], ticks[ticks.length - 1]];
    const line = { type: "scatter", mode: "lines", name: "the limit of the scenario", line: { color: T.ink, width: 2, dash: "dash" }, hoverinfo: "skip" };
    if (own !== null && across === null) data.push({ ...line, x: [own, own], y: ends(m.y_values) });
    if (own === null && across !== null) data.push({ ...line, x: ends(m.x_values), y: [across, across] });
    if (own !== null && across !== null) data.push({ type: "scatter", mode: "markers", x: [own], y: [across], name: "the limits of the scenario", marker: { symbol: "star", size: 16, color: T.paper, line: { width: 2, color: T.ink } }, hovertext: esc(`the limits of ${scenario.name}`), hoverinfo: "text", cliponaxis: false });
    const type = (ticks) => (ticks[0] > 0 && ticks[ticks.length - 1] > 10 * ticks[0] ? logarithmic(ticks[0], ticks[ticks.length - 1]) : { type: "linear" });
    draw("map", "flat", data, { height: 500, showlegend: true, xaxis: { ...lines(), ...type(m.x_values), title: { text: esc(side(x, m.statistics[0], "limit")) } }, yaxis: { ...lines(), ...type(m.y_values), title: { text: esc(side(y, m.statistics[1], "limit")) } } });
  }

  // ---- how often each row is chosen over the draws
  function sure() {
    if (!at("sure")) return;
    const { scenario, curve } = state();
    const choices = scenario.choices.filter((c) => c.curve === curve && c.shares.length);
    const [bars, texts] = [[], []];
    choices.forEach((choice, row) => {
      let from = 0;
      choice.shares.forEach((s, n) => {
        const to = from + 100 * s.share;
        bars.push({
          type: "scatter", mode: "lines", x: [from, to, to, from, from], y: [-0.4, -0.4, 0.4, 0.4, -0.4].map((up) => row + up), fill: "toself", fillcolor: s.same ? COLOURS[0] : n % 2 ? T.light : T.grid,
          line: { width: 1, color: T.paper }, hoveron: "fills", text: esc(`${s.text}: ${number(100 * s.share)} %`), hoverinfo: "text", showlegend: false, name: esc(s.text),
        });
        const most = Math.floor(((to - from) / 100) * (narrow() ? 30 : 110));
        if (most >= 4) texts.push([(from + to) / 2, row, s.text.length > most ? "" : s.text, s.same ? "#ffffff" : T.ink]);
        from = to;
      });
    });
    const words = { type: "scatter", mode: "text", x: texts.map((t) => t[0]), y: texts.map((t) => t[1]), text: texts.map((t) => esc(t[2])), textfont: { size: 12, color: texts.map((t) => t[3]) }, hoverinfo: "skip", showlegend: false };
    const names = choices.map((c) => esc(short(D.selectors[c.selector].name)));
    const yaxis = { ...lines(), range: [choices.length - 0.5, -0.5], tickvals: names.map((_, n) => n), ticktext: names, ticks: "", showgrid: false };
    draw("sure", "flat", [...bars, words], { height: 110 + 44 * choices.length, xaxis: { ...lines(), range: [0, 100], title: { text: "share of the draws (%)" } }, yaxis });
  }

  const fill = (id, texts, chosen) => {
    const select = at(id);
    if (!select) return;
    for (const [value, text] of texts) { const option = document.createElement("option"); option.value = value; option.textContent = text; select.append(option); }
    select.value = String(chosen);
  };
  const sayNames = () => { for (const place of document.querySelectorAll("[data-scenario]")) place.textContent = state().scenario.name; };
  const everything = () => { T = screen.matches && !printing ? THEMES.dark : THEMES.light; sayNames(); if (at("space")) space(); curves(); if (at("front")) front(); if (at("map")) map(); sure(); };

  // ---- tables of contenders: a head sorts, the box searches
  const figure = (cell) => { const found = cell.textContent.match(/-?\d[\d.]*(e[-+]?\d+)?/i); return found ? Number(found[0]) : null; };
  for (const table of document.querySelectorAll(".contenders table")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, n) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const label = n < Number(table.closest(".contenders").dataset.labels);
        const key = (row) => (label ? row.cells[n].textContent : figure(row.cells[n]));
        const order = (a, b) => (a === null || b === null ? (a === null) - (b === null) : label ? a.localeCompare(b) : a - b);
        const rows = [...table.tBodies[0].rows].sort((a, b) => {
          const [x, y] = [key(a), key(b)];
          return x === null || y === null || up ? order(x, y) : -order(x, y);
        });
        table.tBodies[0].append(...rows);
      });
    });
  }
  const search = at("search");
  if (search) search.addEventListener("input", () => {
    const wanted = search.value.toLowerCase().trim();
    let shown = 0;
    for (const row of document.querySelectorAll(".contenders tbody tr")) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
      shown += !row.hidden;
    }
    say("found", wanted ? `${shown} shown` : "");
  });

  fill("scenario", D.scenarios.map((s, n) => [n, s.name]), 0);
  fill("curve", [...D.curves.map((c, n) => [n, c.label]), ...(D.curves.length > 1 ? [[ALL, "all of them (what is chosen over all)"]] : [])], D.first);
  const names = AXES.map((axis, n) => [n, named(axis)]);
  ["x", "y", "z"].forEach((a, n) => fill(`space-${a}`, names, D.axes[n]));
  fill("front-x", names, D.axes[0]);
  fill("front-y", names, D.axes[2]);
  for (const id of ["scenario", "curve"]) at(id).addEventListener("change", everything);
  for (const a of ["x", "y", "z"]) if (at(`space-${a}`)) at(`space-${a}`).addEventListener("change", space);
  for (const a of ["x", "y"]) if (at(`front-${a}`)) at(`front-${a}`).addEventListener("change", front);
  // On paper nothing can be opened, and there is no time to draw anew but in light colours: the drawings are scaled.
  const drawings = () => document.querySelectorAll(".plot .main-svg");
  let opened = [];
  window.addEventListener("beforeprint", () => {
    printing = true;
    if (T !== THEMES.light) everything();
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const closed of opened) closed.open = true;
    for (const svg of drawings()) svg.setAttribute("viewBox", `0 0 ${svg.width.baseVal.value} ${svg.height.baseVal.value}`);
  });
  window.addEventListener("afterprint", () => {
    printing = false;
    for (const svg of drawings()) svg.removeAttribute("viewBox");
    for (const details of opened) details.open = false;
    if (screen.matches) everything();
  });
  screen.addEventListener("change", everything);
  everything();
  if (at("space")) { // printers leave 3-D out: a still picture takes its place there
    let waiting = 0;
    const still = () => {
      clearTimeout(waiting);
      waiting = setTimeout(async () => {
        const shown = T;
        T = THEMES.light;
        const [data, layout] = spaceFigure();
        const still = { data, layout: base({ ...layout, width: 800, height: 620 }) };
        T = shown;
        still.layout.scene.camera = at("space").layout.scene.camera || still.layout.scene.camera;
        at("space-still").src = await Plotly.toImage(still, { format: "png", width: 800, height: 620 });
        at("space-still").alt = at("space").getAttribute("aria-label");
      }, 600);
    };
    at("space").on("plotly_afterplot", still);
    at("space").on("plotly_relayout", still);
    still();
  }
})();
