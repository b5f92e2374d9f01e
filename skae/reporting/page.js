// Colors by any column, and the values of the row that is pointed at, tapped or gone to by keys.
// Texts of the table are only ever set as text.
(function () {
  "use strict";
  var data = JSON.parse(document.getElementById("data").textContent);
  var tip = document.getElementById("tip");
  var menus = [document.getElementById("color")];
  var REACH = 18; // pixels between pointer and point
  var MOST_LINES = 24;
  var everyRow = data.labels.map(function (_, i) { return i; });

  var planes = Array.from(document.querySelectorAll("svg.plane")).map(function (svg) {
    var rows = svg.dataset.rows === "all" ? everyRow : data.compared;
    var circles = Array.from(svg.querySelectorAll("circle:not(.ring)"));
    var mark = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    mark.setAttribute("class", "mark");
    mark.setAttribute("visibility", "hidden");
    svg.appendChild(mark);
    return {
      svg: svg, rows: rows, circles: circles, mark: mark,
      x: circles.map(function (c) { return c.cx.baseVal.value; }),
      y: circles.map(function (c) { return c.cy.baseVal.value; })
    };
  });
  var large = planes.find(function (plane) { return plane.svg.dataset.rows === "all"; });
  var chosen = -1; // place of a row among those drawn
  var pinned = false; // chosen by tap or key, not by passing over it

  // Colors

  function colorBy(which) {
    var column = data.columns[which];
    planes.forEach(function (plane) {
      plane.circles.forEach(function (circle, i) {
        var place = column.colors[plane.rows[i]];
        circle.setAttribute("class", place < 0 ? "hole" : column.scale + place);
      });
    });
    document.querySelectorAll(".legend").forEach(function (legend) {
      legend.hidden = Number(legend.dataset.column) !== which;
    });
    document.querySelectorAll("[data-colored]").forEach(function (place) {
      place.textContent = column.name;
    });
    menus.forEach(function (menu) { menu.value = String(which); });
    if (chosen >= 0) { fill(chosen); }
  }

  document.querySelectorAll("[data-menu]").forEach(function (place) {
    var menu = menus[0].cloneNode(true);
    var label = document.createElement("label");
    menu.id = "color-" + place.dataset.menu;
    menu.value = menus[0].value;
    label.htmlFor = menu.id;
    label.textContent = "Color by";
    place.append(label, " ", menu);
    menus.push(menu);
  });
  menus.forEach(function (menu) {
    menu.addEventListener("change", function () { colorBy(Number(menu.value)); });
  });
  document.querySelectorAll(".menu, [data-needs-script]").forEach(function (part) {
    part.hidden = false;
  });

  // Values of a row

  function text(column, place) {
    var value = column.values[place];
    return value < 0 ? "missing" : column.texts[value];
  }

  function fill(place) {
    var now = Number(menus[0].value);
    var order = data.columns.map(function (_, i) { return i; });
    var title = document.createElement("strong");
    var list = document.createElement("dl");
    if (order.length > MOST_LINES) { // the one of the colors is among those shown
      order.splice(now, 1);
      order.unshift(now);
    }
    var label = data.labels[place];
    title.textContent = (/^\d+$/.test(label) ? "Row " : "") + label;
    order.slice(0, MOST_LINES).forEach(function (i) {
      var name = document.createElement("dt");
      var value = document.createElement("dd");
      name.textContent = data.columns[i].name;
      value.textContent = text(data.columns[i], place);
      if (i === now) { name.className = value.className = "now"; }
      list.append(name, value);
    });
    tip.replaceChildren(title, list);
    if (order.length > MOST_LINES) {
      tip.append("and " + (order.length - MOST_LINES) + " more columns");
    }
  }

  function choose(place, plane) {
    if (place !== chosen) { fill(place); }
    chosen = place;
    planes.forEach(function (other) {
      var i = other.rows.indexOf(place);
      other.mark.setAttribute("visibility", i < 0 ? "hidden" : "visible");
      if (i >= 0) {
        other.mark.setAttribute("cx", other.x[i]);
        other.mark.setAttribute("cy", other.y[i]);
        other.mark.setAttribute("r", other.circles[i].r.baseVal.value + 2);
      }
    });
    tip.hidden = false;
    var i = plane.rows.indexOf(place);
    var box = plane.svg.getBoundingClientRect();
    var scale = box.width / plane.svg.viewBox.baseVal.width;
    var x = box.left + plane.x[i] * scale;
    var y = box.top + plane.y[i] * scale;
    var left = x + 16 + tip.offsetWidth < innerWidth ? x + 16 : x - 16 - tip.offsetWidth;
    var top = Math.min(Math.max(y - tip.offsetHeight / 2, 8), innerHeight - tip.offsetHeight - 8);
    tip.style.left = Math.max(left, 8) + "px";
    tip.style.top = Math.max(top, 8) + "px";
    var sheet = tip.getBoundingClientRect(); // on a narrow screen, at its lower end
    if (sheet.left <= 0 && y + 20 > sheet.top) { scrollBy(0, y + 20 - sheet.top); }
  }

  function close() {
    chosen = -1;
    pinned = false;
    tip.hidden = true;
    planes.forEach(function (plane) { plane.mark.setAttribute("visibility", "hidden"); });
  }

  function nearest(plane, event) {
    var box = plane.svg.getBoundingClientRect();
    var scale = plane.svg.viewBox.baseVal.width / box.width;
    var x = (event.clientX - box.left) * scale;
    var y = (event.clientY - box.top) * scale;
    var least = Math.pow(REACH * scale, 2);
    var found = -1;
    plane.rows.forEach(function (row, i) {
      var far = Math.pow(plane.x[i] - x, 2) + Math.pow(plane.y[i] - y, 2);
      if (far <= least) { least = far; found = row; }
    });
    return found;
  }

  planes.forEach(function (plane) {
    plane.svg.addEventListener("pointermove", function (event) {
      if (event.pointerType === "touch" || pinned) { return; }
      var row = nearest(plane, event);
      if (row >= 0) { choose(row, plane); } else { close(); }
    });
    plane.svg.addEventListener("pointerleave", function (event) {
      if (event.pointerType !== "touch" && !pinned) { close(); }
    });
    plane.svg.addEventListener("click", function (event) {
      var row = nearest(plane, event);
      event.stopPropagation();
      if (row >= 0) { choose(row, plane); pinned = true; } else { close(); }
    });
  });
  document.addEventListener("click", function (event) {
    if (!tip.contains(event.target)) { close(); }
  });
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape") { close(); }
  });
  addEventListener("scroll", function () { if (!pinned) { close(); } }, { passive: true });

  // From row to row by the arrow keys: the nearest one in that direction.

  var STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  function next(place, step) {
    var best = Infinity;
    var found = place;
    large.rows.forEach(function (row, i) {
      var dx = large.x[i] - large.x[place];
      var dy = large.y[i] - large.y[place];
      var along = dx * step[0] + dy * step[1];
      var across = Math.abs(dx * step[1]) + Math.abs(dy * step[0]);
      var far = along + 2 * across;
      if (along > 0.05 && across <= 2 * along && far < best) { best = far; found = row; }
    });
    return found;
  }
  var plot = large.svg.parentNode;
  plot.addEventListener("focus", function () {
    if (chosen < 0 && plot.matches(":focus-visible")) { choose(0, large); pinned = true; }
  });
  plot.addEventListener("blur", function () { if (pinned) { close(); } });
  plot.addEventListener("keydown", function (event) {
    var step = STEPS[event.key];
    if (!step) { return; }
    event.preventDefault();
    choose(chosen < 0 ? 0 : next(chosen, step), large);
    pinned = true;
  });

  addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (part) { part.open = true; });
  });

  // A row that is named in a table is shown in the picture.

  document.querySelectorAll("a[data-row]").forEach(function (link) {
    var place = data.rows.indexOf(Number(link.dataset.row));
    if (place < 0) { return; }
    link.addEventListener("click", function (event) {
      event.preventDefault();
      event.stopPropagation();
      large.svg.scrollIntoView({ block: "center", behavior: "instant" });
      plot.focus({ preventScroll: true });
      choose(place, large);
      pinned = true;
    });
  });
})();
