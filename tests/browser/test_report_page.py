"""The page of `recommend --out` in a real browser."""

import io
from dataclasses import replace
from functools import cache

import matplotlib.image
import pytest

from moo_infer import Pipeline, Scenario, builtin_models

SCRIPT, IMAGE, LINK = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    '<a href="https://example.org">x</a> & <b>y</b>',
)
LIMITS = Scenario("mine", max={"cost": 0.5, "latency": 60}, min={"accuracy": 0.93})
DRAWN = "return document.querySelectorAll('#{} .main-svg').length > 0 && !!document.getElementById('{}').data"
# How many pixels of the 3-D space are not white.
PIXELS = """
const image = await Plotly.toImage(document.getElementById('space'), {format: 'png', width: 500, height: 500});
const canvas = document.createElement('canvas'); canvas.width = canvas.height = 500;
const drawing = new Image(); drawing.src = image; await drawing.decode();
const context = canvas.getContext('2d', {willReadFrequently: true}); context.drawImage(drawing, 0, 0);
const data = context.getImageData(0, 0, 500, 500).data; let inked = 0;
for (let i = 0; i < data.length; i += 4) inked += data[i] + data[i + 1] + data[i + 2] < 700 && data[i + 3] > 0;
return inked;
"""


@pytest.fixture
def show(browser, tmp_path):
    """Open the page of a report from its file, wait until it is drawn, and return the window."""

    def call(report, command=None, *, flat=True):
        path = tmp_path / "report.html"
        path.write_text(report.to_html(command), encoding="utf-8")
        return opened(browser, path, flat)

    return call


def opened(browser, path, flat):
    browser.open(path, flat=flat)
    browser.wait(DRAWN.format("curves", "curves"))
    return browser


@pytest.fixture(scope="module")
def written(pipeline, tmp_path_factory):
    """Write the page of a run of the built-in models, once for all tests."""
    folder = tmp_path_factory.mktemp("pages")

    @cache
    def call(models, scenarios):
        path = folder / f"{models} {scenarios}.html"
        path.write_text(pipeline.run(models, scenarios).to_html(), encoding="utf-8")
        return path

    return call


@pytest.fixture
def read(browser, written):
    """Show the page of a run to a test that leaves it as it is: not opened again where the test before had it."""

    def call(models=None, scenarios=None, *, flat=True):
        path = written(models, scenarios)
        there = browser.driver.current_url == path.as_uri() and (flat or not browser.flat)
        return browser if there else opened(browser, path, flat)

    return call


@pytest.fixture
def change(browser, read):
    """Show the page of a run to a test that changes it: who reads it next opens it anew."""
    yield read
    browser.driver.get("about:blank")


@pytest.fixture
def quiet(browser):
    """No test may leave a request, a complaint on the console, or an alert behind."""
    yield
    from selenium.common.exceptions import NoAlertPresentException

    assert browser.foreign() == []
    assert browser.complaints() == []
    with pytest.raises(NoAlertPresentException):
        _ = browser.driver.switch_to.alert


pytestmark = pytest.mark.usefixtures("quiet")


def curves_of(browser, plot="space"):
    return browser.run(f"return document.getElementById('{plot}').data.map(t => [t.name, t.x && t.x[0], t.type])")


def colours(png):
    pixels = matplotlib.image.imread(io.BytesIO(png), format="png")
    return len({tuple(pixel) for pixel in (pixels[::3, ::3, :3] * 255).astype(int).reshape(-1, 3).tolist()})


def test_the_built_in_report_draws_everything(read):
    window = read(flat=False)
    for plot in ("space", "curves", "front", "map"):
        window.wait(DRAWN.format(plot, plot))
        assert colours(window.screenshot(f"#{plot}")) > 10, plot
    assert window.run(PIXELS) > 2000
    assert window.run("return document.body.scrollWidth <= window.innerWidth")
    assert not window.run("return !!document.getElementById('sure')")
    assert "use nemotron-nano-9b-v2 with k = 16 samples" in window.run("return document.body.innerText")


def test_no_button_sends_anything(read):
    window = read()
    titles = set(window.run("return [...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.title)"))
    assert titles
    assert not [
        title for title in titles if any(word in title.lower() for word in ("share", "cloud", "edit", "plotly"))
    ]
    assert window.run("return document.querySelectorAll('a[href]').length") == 0


def test_another_model_another_scenario_and_other_axes_change_the_data(change):
    window = change()
    assert window.run("return document.getElementById('curve').selectedOptions[0].text") == "nemotron-nano-9b-v2"
    seen = [curves_of(window)]
    window.choose("curve", 0)
    seen.append(curves_of(window))
    window.choose("space-x", 3)
    seen.append(curves_of(window))
    assert seen[2][0][1] == 4  # k on the axis
    window.choose("curve", "all")
    seen.append(curves_of(window))
    assert len(seen[3]) > 9
    window.choose("scenario", 1)
    seen.append(curves_of(window))
    assert all(a != b for i, a in enumerate(seen) for b in seen[:i])
    fronts = window.run("return document.getElementById('front').data[1].x")
    window.choose("front-x", 2)
    assert window.run("return document.getElementById('front').data[1].x") != fronts


@pytest.fixture
def media(browser):
    """Show the page on a dark screen, or on paper."""

    def call(**features):
        kind = features.pop("kind", "")
        listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": kind, "features": listed})

    yield call
    call()


BRIGHTNESS = (
    "const c = getComputedStyle({}).{}.match(/\\d+/g).map(Number); return 0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2]"
)


def test_a_dark_screen_gets_a_dark_page_and_dark_pictures(read, media):
    media(prefers_color_scheme="dark")
    window = read("gpt-5", "essay-feedback")
    assert window.run(BRIGHTNESS.format("document.body", "backgroundColor")) < 60
    assert window.run(BRIGHTNESS.format("document.body", "color")) > 200
    assert window.wait("return document.getElementById('curves').layout.paper_bgcolor == '#17191c'")
    media(prefers_color_scheme="light")
    assert window.wait("return document.getElementById('curves').layout.paper_bgcolor == '#ffffff'")
    assert window.run(BRIGHTNESS.format("document.body", "backgroundColor")) > 250


def test_the_choices_are_marked_where_the_table_says(read, pipeline):
    report = pipeline.run("gpt-5", "essay-feedback")
    window = read("gpt-5", "essay-feedback")
    marked = window.run(
        "return document.getElementById('curves').data.filter(t => t.yaxis === 'y' && t.mode === 'markers').map(t => [t.name, t.x[0]])"
    )
    assert dict(marked) == {choice.selector: choice.k for choice in report.outcome().of_curves}


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_the_page_fits_any_width(read, width):
    window = read("gpt-5", "essay-feedback")
    window.driver.set_window_size(width, 800)
    try:
        assert window.wait("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        script = "return document.querySelector('#curves .main-svg').getBoundingClientRect().right <= document.documentElement.clientWidth + 1"
        assert window.wait(script)
    finally:
        window.driver.set_window_size(1280, 900)


def test_a_foreign_request_would_be_refused_and_seen(change, browser):
    """The policy of the page holds, and the tests would notice a page without it."""
    window = change("gpt-5", "essay-feedback")
    refused = "return fetch('http://127.0.0.1:9/x').then(() => 'sent', () => 'refused')"
    assert window.run(refused) == "refused"
    assert any("Content Security Policy" in text for text in window.complaints())
    window.run("const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)")
    assert window.run("return window.ran") is None
    window.complaints()
    browser.open("data:text/html,<img src='http://127.0.0.1:9/x'>")
    assert browser.foreign() == ["http://127.0.0.1:9/x"]
    browser.complaints()


def nasty():
    models = list(builtin_models().values())
    return [replace(model, name=name) for model, name in zip(models, (SCRIPT, IMAGE, LINK), strict=False)]


def test_names_show_as_they_were_typed(show):
    report = Pipeline(aggregators=["best-of-k", "majority-vote"]).run(nasty(), replace(LIMITS, name=IMAGE))
    window = show(report, command=f"moo-infer '{SCRIPT}'")
    text = window.run("return document.body.innerText")
    for name in (SCRIPT, IMAGE, LINK):
        assert name in text
    assert window.run("return document.querySelectorAll('a, script:not([src]), #curve option').length") == 3 + 7
    window.choose("curve", "all")
    legend = window.wait("return [...document.querySelectorAll('#curves .legendtext')].map(t => t.textContent)")
    assert legend[0] == f"{SCRIPT}, best-of-k"
    assert window.run("return document.querySelectorAll('svg a, svg [style*=bold] b, .plot img').length") == 0


def test_a_pointer_shows_names_as_they_were_typed(show):
    window = show(Pipeline(selectors="utopia").run(nasty(), LIMITS))
    window.choose("curve", 2)
    window.run("Plotly.Fx.hover('curves', [{curveNumber: 2, pointNumber: 3}])")
    shown = window.wait("return [...document.querySelectorAll('#curves .hovertext')].map(t => t.textContent).join()")
    assert shown.startswith(f"{LINK}, k = 16, 4 at a time")


def test_stability_is_drawn_where_it_was_asked_for(show):
    report = Pipeline(estimator="monte-carlo").run("gpt-5", "essay-feedback").with_stability(20)
    window = show(report)
    bars = window.run(
        "return document.getElementById('sure').data.filter(t => t.fill).map(t => [t.y[0], t.x[1] - t.x[0]])"
    )
    for row in {place for place, _ in bars}:
        assert sum(width for place, width in bars if place == row) == pytest.approx(100)
    assert colours(window.screenshot("#sure")) > 3


def test_nothing_feasible(show):
    window = show(Pipeline().run(["gpt-5", "gpt-5-nano"], Scenario("tight", max={"cost": 1e-7})), flat=False)
    assert "nothing meets the limits" in window.wait("return document.getElementById('front').textContent")
    assert window.run(PIXELS) > 1000
    assert "no recommendation" in window.run("return document.body.innerText")


@pytest.mark.parametrize("objectives", [1, 2])
def test_few_objectives(show, objectives):
    model = builtin_models()["gpt-5"]
    report = Pipeline().run(replace(model, costs=model.costs[: objectives - 1]), Scenario("free"))
    window = show(report, flat=objectives < 2)
    present = window.run("return ['space', 'curves', 'front', 'map'].filter(id => document.getElementById(id))")
    assert present == (["curves"] if objectives == 1 else ["space", "curves", "front", "map"])
    if objectives == 2:
        assert window.run(PIXELS) > 1000


def test_four_objectives_can_be_looked_at_three_at_a_time(show):
    model = builtin_models()["gpt-5"]
    extra = replace(model.costs[1])
    energy = type(
        "Energy", (type(extra),), {"objective": replace(extra.objective, name="energy", unit="J"), "name": "energy"}
    )
    fields = {name: getattr(extra, name) for name in extra.__dataclass_fields__}
    window = show(Pipeline().run(replace(model, costs=(*model.costs, energy(**fields))), LIMITS))
    names = window.run("return [...document.getElementById('space-x').options].map(o => o.text)")
    assert names == ["accuracy", "cost (USD)", "latency (s)", "energy (J)", "k (samples)"]
    before = curves_of(window)
    window.choose("space-x", 3)
    assert curves_of(window) != before
    assert window.run("return document.getElementById('space').layout.scene.xaxis.title.text") == "energy (J)"
    assert (
        len(
            window.run(
                "return Object.keys(document.getElementById('curves').layout).filter(k => k.startsWith('yaxis'))"
            )
        )
        == 4
    )


def names_shown(window):
    script = "return [...document.querySelectorAll('.contenders tbody tr')].filter(r => !r.hidden).map(r => r.cells[0].innerText.trim())"
    return window.run(script)


def test_paper_is_light_and_shows_what_is_closed_and_closes_it_again(read, media):
    media(prefers_color_scheme="dark")
    window = read(None, "essay-feedback")
    closed = window.run("return document.querySelectorAll('details:not([open])').length")
    assert closed
    window.run("window.dispatchEvent(new Event('beforeprint'))")
    media(kind="print", prefers_color_scheme="dark")
    assert window.run("return document.querySelectorAll('details:not([open])').length") == 0
    assert window.run("return document.getElementById('curves').layout.paper_bgcolor") == "#ffffff"
    assert window.run(BRIGHTNESS.format("document.body", "color")) < 60
    media(prefers_color_scheme="dark")
    window.run("window.dispatchEvent(new Event('afterprint'))")
    assert window.run("return document.querySelectorAll('details:not([open])').length") == closed


def test_a_keyboard_sorts(read):
    from selenium.webdriver.common.keys import Keys

    window = read(None, "essay-feedback")  # the test below begins with any order
    button = "document.querySelectorAll('.contenders thead button')[1]"
    window.run(f"{button}.focus()")
    window.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert window.run(f"return {button}.parentElement.getAttribute('aria-sort')") == "ascending"


def test_contenders_are_sorted_by_any_column_and_searched_by_name(change):
    window = change(None, "essay-feedback")
    before = names_shown(window)
    assert len(before) > 5
    heads = window.run("return [...document.querySelectorAll('.contenders thead button')].map(b => b.innerText)")
    for n, head in enumerate(heads):
        script = (
            f"document.querySelectorAll('.contenders thead button')[{n}].click();"
            f"return [...document.querySelectorAll('.contenders tbody tr')].map(r => r.cells[{n}].innerText)"
        )
        for up in (True, False):
            cells = window.run(script)
            values = cells if n == 0 else [float(cell.split()[0]) for cell in cells]
            assert values == sorted(values, reverse=not up), head
            state = window.run(
                "return document.querySelectorAll('.contenders th[aria-sort]')[0].getAttribute('aria-sort')"
            )
            assert state == ("ascending" if up else "descending")
    window.run("const s = document.getElementById('search'); s.value = 'NANO'; s.dispatchEvent(new Event('input'))")
    assert sorted(names_shown(window)) == sorted(name for name in before if "nano" in name)
    assert window.run("return document.getElementById('found').innerText") == f"{len(names_shown(window))} shown"
    window.run("const s = document.getElementById('search'); s.value = ''; s.dispatchEvent(new Event('input'))")
    assert len(names_shown(window)) == len(before)


# Rules of axe-core that a page of this kind can break, each as a script that lists what breaks it.
RULES = {
    "every control has a name": "return [...document.querySelectorAll('input, select, button')].filter(e => !(e.labels && e.labels.length || e.innerText.trim() || e.getAttribute('aria-label'))).map(e => e.outerHTML)",
    "headings go down one level at a time": "const h = [...document.querySelectorAll('h1, h2, h3, h4')].map(e => +e.tagName[1]); return h.filter((l, i) => i ? l > h[i - 1] + 1 : l !== 1)",
    "one heading of the first level, one main": "return document.querySelectorAll('h1').length === 1 && document.querySelectorAll('main').length === 1 ? [] : ['not one']",
    "heads of tables say of what they are heads": "return [...document.querySelectorAll('th')].filter(e => !e.scope).map(e => e.outerHTML)",
    "pictures that are not empty have a text": "return [...document.querySelectorAll('img')].filter(e => e.src && !e.alt).map(e => e.outerHTML.slice(0, 80))",
    "what scrolls can be reached by keyboard": "return [...document.querySelectorAll('.wide')].filter(e => e.tabIndex !== 0 || !e.getAttribute('aria-label')).map(e => e.outerHTML.slice(0, 80))",
    "identifiers are unique": "const ids = [...document.querySelectorAll('[id]')].map(e => e.id); return ids.filter((id, i) => ids.indexOf(id) !== i)",
    "regions have different names": "const n = [...document.querySelectorAll('[role=region]')].map(e => e.getAttribute('aria-label')); return n.filter((name, i) => n.indexOf(name) !== i)",
    "text stands out from its ground": """
        const lum = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const ground = e => { while (e) { const c = getComputedStyle(e).backgroundColor; if (!c.endsWith(', 0)')) return c; e = e.parentElement; } return 'rgb(255, 255, 255)'; };
        return [...document.querySelectorAll('p, td, th, h1, h2, h3, summary, figcaption, label, button, code')].filter(e => {
          const [a, b] = [lum(getComputedStyle(e).color), lum(ground(e))];
          return e.innerText && (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
        }).map(e => e.outerHTML.slice(0, 80))""",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_can_be_read_by_everybody(read, media, scheme):
    media(prefers_color_scheme=scheme)
    window = read(None, ("essay-feedback", "medical-ai"), flat=False)
    window.wait("return document.getElementById('space-still').src")
    for rule, script in RULES.items():
        assert window.run(script) == [], rule
