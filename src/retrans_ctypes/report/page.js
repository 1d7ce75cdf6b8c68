"use strict";
(function () {
  var figures = JSON.parse(document.getElementById("figures").textContent);
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  var printing = false;
  var PRINTED_WIDTH = 680; // what fits on A4 and on letter
  var PRINTED_HEIGHT = 250;
  var HEAT = {
    light: [[0, "#cfe1f2"], [0.35, "#6aaed6"], [0.7, "#2070b4"], [1, "#08224f"]],
    dark: [[0, "#1d4468"], [0.35, "#2f7fb8"], [0.7, "#7cc4ea"], [1, "#f2fbff"]]
  };

  function theme() {
    return dark.matches && !printing
      ? { name: "dark", ink: "#e4e8ed", line: "#323b46", paper: "#1b2129" }
      : { name: "light", ink: printing ? "#000000" : "#1b1f24", line: printing ? "#bbbbbb" : "#d5dae0", paper: "#ffffff" };
  }

  function dressed(name, colours) {
    var figure = figures[name];
    var data = figure.data.map(function (trace) {
      return trace.type === "heatmap" ? Object.assign({}, trace, { colorscale: HEAT[colours.name] }) : trace;
    });
    var layout = JSON.parse(JSON.stringify(figure.layout));
    layout.font.color = colours.ink;
    layout.hoverlabel.bgcolor = colours.paper;
    layout.hoverlabel.bordercolor = colours.line;
    layout.hoverlabel.font = { color: colours.ink };
    ["xaxis", "yaxis"].forEach(function (axis) {
      layout[axis].gridcolor = layout[axis].linecolor = layout[axis].zerolinecolor = colours.line;
    });
    layout.autosize = !printing;
    if (printing) {
      layout.width = PRINTED_WIDTH;
      layout.height = name === "heat" ? Math.min(layout.height, 600) : PRINTED_HEIGHT;
    }
    return { data: data, layout: layout };
  }

  function draw() {
    var colours = theme();
    Object.keys(figures).forEach(function (name) {
      var made = dressed(name, colours);
      Plotly.react("figure-" + name, made.data, made.layout, {
        responsive: true, displayModeBar: false, scrollZoom: false
      });
    });
  }

  window.addEventListener("beforeprint", function () {
    printing = true;
    draw();
  });
  window.addEventListener("afterprint", function () {
    printing = false;
    window.setTimeout(function () { // until then the page is as narrow as paper
      draw();
      Object.keys(figures).forEach(function (name) {
        Plotly.Plots.resize("figure-" + name);
      });
    }, 0);
  });
  if (dark.addEventListener) {
    dark.addEventListener("change", draw);
  }
  draw();
})();
