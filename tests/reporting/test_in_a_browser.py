"""The page in a real browser, at the width of a desk and of a phone, where there is a Chromium."""

import json
import shutil
import subprocess
from html import unescape

import pytest

import skae
from made_up_findings import mixed_table, quick

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)

# A page around the report, whose script may look into it: the report's own policy stays in force.
AROUND = """<!doctype html><meta charset="utf-8"><pre id="found"></pre><script>
const frame = document.createElement("iframe");
frame.style = "width: WIDTHpx; height: 900px; border: 0";
frame.onload = () => {
  const page = frame.contentDocument, root = page.documentElement;
  const shown = (what) => [...page.querySelectorAll(what)].filter((one) => !one.hidden);
  const colors = () => [...page.querySelectorAll("svg.plane circle")].map(
    (circle) => circle.getAttribute("class")).join(" ");
  const wide = [...page.querySelectorAll("body *")].filter(
    (one) => one.getBoundingClientRect().right > root.clientWidth + 1);
  const menu = page.getElementById("color"), before = colors(), seen = [];
  for (const option of menu.options) {
    menu.value = option.value;
    menu.dispatchEvent(new frame.contentWindow.Event("change"));
    seen.push(colors());
  }
  document.getElementById("found").textContent = JSON.stringify({
    width: root.clientWidth,
    overflow: root.scrollWidth - root.clientWidth,
    wide: wide.map((one) => one.outerHTML.slice(0, 80)),
    unseen: page.querySelectorAll("[data-needs-script][hidden]").length,
    before: before,
    seen: seen,
    legends: shown(".legend").length,
    planes: page.querySelectorAll("svg.plane").length,
  });
};
frame.srcdoc = REPORT;
document.body.append(frame);
</script>"""


@pytest.fixture(scope="module")
def report():
    table = mixed_table(named=True)
    return skae.report(
        table, methods=["famd"], autoencoder=quick(), labels=list(table.index), random_state=0
    ).to_html()


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_fits_and_its_menu_colors_the_rows(report, width, tmp_path):
    whole = json.dumps(report).replace("</", r"<\/")
    around = tmp_path / "around.html"
    around.write_text(
        AROUND.replace("WIDTH", str(width)).replace("REPORT", whole), encoding="utf-8"
    )
    call = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,1000"]
    call += ["--virtual-time-budget=5000", "--dump-dom", around.as_uri()]
    done = subprocess.run(call, capture_output=True, check=True, timeout=120)
    text = done.stdout.decode()
    found = json.loads(unescape(text.split('<pre id="found">')[1].split("</pre>")[0]))
    assert found["width"] in range(width - 20, width + 1)  # a bar to scroll with may be beside
    assert found["overflow"] == 0, found["wide"]
    assert found["planes"] == 2  # all rows, and those that a method embeds
    assert found["unseen"] == 0  # so the script has run, which the page allows by its digest
    assert found["legends"] == found["planes"]
    assert len({*found["seen"]}) == len(found["seen"]) == 4  # each column colors rows otherwise
    assert found["before"] in found["seen"]
