"""The page of `recommend --html` in a real browser."""

import io
from dataclasses import replace

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

    def call(report, command=None):
        path = tmp_path / "report.html"
        path.write_text(report.to_html(command), encoding="utf-8")
        browser.open(path)
        browser.wait(DRAWN.format("curves", "curves"))
        return browser

    return call


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


def test_the_built_in_report_draws_everything(show, pipeline):
    window = show(pipeline.run())
    for plot in ("space", "curves", "front", "map"):
        window.wait(DRAWN.format(plot, plot))
        assert colours(window.screenshot(f"#{plot}")) > 10, plot
    assert window.run(PIXELS) > 2000
    assert window.run("return document.body.scrollWidth <= window.innerWidth")
    assert not window.run("return !!document.getElementById('sure')")
    assert "use nemotron-nano-9b-v2 with k = 16 samples" in window.run("return document.body.innerText")


def test_no_button_sends_anything(show, pipeline):
    window = show(pipeline.run("gpt-5"))
    titles = set(window.run("return [...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.title)"))
    assert titles
    assert not [
        title for title in titles if any(word in title.lower() for word in ("share", "cloud", "edit", "plotly"))
    ]
    assert window.run("return document.querySelectorAll('a[href]').length") == 0


def test_a_foreign_request_would_be_refused_and_seen(show, pipeline, browser):
    """The policy of the page holds, and the tests would notice a page without it."""
    window = show(pipeline.run("gpt-5"))
    refused = "return fetch('http://127.0.0.1:9/x').then(() => 'sent', () => 'refused')"
    assert window.run(refused) == "refused"
    assert any("Content Security Policy" in text for text in window.complaints())
    window.run("const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)")
    assert window.run("return window.ran") is None
    window.complaints()
    browser.open("data:text/html,<img src='http://127.0.0.1:9/x'>")
    assert browser.foreign() == ["http://127.0.0.1:9/x"]
    browser.complaints()


def test_another_model_another_scenario_and_other_axes_change_the_data(show, pipeline):
    window = show(pipeline.run())
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


def test_the_choices_are_marked_where_the_table_says(show, pipeline):
    report = pipeline.run("gpt-5-nano", "essay-feedback")
    window = show(report)
    marked = window.run(
        "return document.getElementById('curves').data.filter(t => t.yaxis === 'y' && t.mode === 'markers').map(t => [t.name, t.x[0]])"
    )
    assert dict(marked) == {choice.selector: choice.k for choice in report.outcome().of_curves}


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
    shares = window.run("return document.getElementById('sure').data.map(t => t.x[0])")
    assert sum(shares) == pytest.approx(100)
    assert colours(window.screenshot("#sure")) > 3


def test_nothing_feasible(show):
    window = show(Pipeline().run(["gpt-5", "gpt-5-nano"], Scenario("tight", max={"cost": 1e-7})))
    assert "nothing meets the limits" in window.wait("return document.getElementById('front').textContent")
    assert window.run(PIXELS) > 1000
    assert "no recommendation" in window.run("return document.body.innerText")


@pytest.mark.parametrize("objectives", [1, 2])
def test_few_objectives(show, objectives):
    model = builtin_models()["gpt-5"]
    report = Pipeline().run(replace(model, costs=model.costs[: objectives - 1]), Scenario("free"))
    window = show(report)
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


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_the_page_fits_any_width(show, pipeline, width):
    window = show(pipeline.run("gpt-5", "essay-feedback"))
    window.driver.set_window_size(width, 800)
    try:
        assert window.wait("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        script = "return document.querySelector('#curves .main-svg').getBoundingClientRect().right <= document.documentElement.clientWidth + 1"
        assert window.wait(script)
    finally:
        window.driver.set_window_size(1280, 900)
