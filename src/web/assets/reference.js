/* Makes pages quicker to use; none needs it.  "/" goes to the search; results come while typing. */
(function () {
	"use strict";
	var box = document.getElementById("q");
	var list = document.getElementById("found");
	var MOST = 60;

	document.addEventListener("keydown", function (event) {
		var at = document.activeElement;
		if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !box ||
		    (at && /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName))) {
			return;
		}
		event.preventDefault();
		box.focus();
		box.select();
	});
	if (!box || !list || typeof referencePages === "undefined") {
		return;
	}

	var pages = referencePages.map(function (row) {
		return {
			key: row[0], name: row[1], path: row[3] || row[0], low: row[0].toLowerCase(),
			head: (row[0] + "\n" + row[1]).toLowerCase(), text: row[2].toLowerCase()
		};
	});
	var nothing = document.getElementById("nothing");
	var all = document.getElementById("all");

	function address(path) {
		return list.getAttribute("data-before") + path.split("/").map(encodeURIComponent).join("/").replace(/%3D/g, "=") +
			list.getAttribute("data-after");
	}

	function isKey(page, term) {
		return page.low === term || (page.key.charAt(0) === "X" && /^[245]\./.test(term) &&
			page.low.slice(1) === term.slice(1));
	}

	function rank(page, terms) {
		var all = 2;
		if (terms.some(function (term) { return isKey(page, term); })) {
			return 3;
		}
		for (var i = 0; i < terms.length; i++) {
			if (page.head.indexOf(terms[i]) < 0) {
				if (page.text.indexOf(terms[i]) < 0) {
					return 0;
				}
				all = 1;
			}
		}
		return all;
	}

	function row(path, key, name, tone) {
		var item = document.createElement("li");
		var link = document.createElement("a");
		var text = document.createElement("span");

		item.className = tone;
		link.href = address(path);
		if (key) {
			var code = document.createElement("code");
			code.dir = "ltr";
			code.textContent = key;
			link.appendChild(code);
			link.appendChild(document.createTextNode(" "));
		}
		text.textContent = name;
		link.appendChild(text);
		item.appendChild(link);
		list.appendChild(item);
	}

	function pairOf(terms) {
		var code = /^(\d{3}|[x245]\.\d{1,3}\.\d{1,3})$/;
		if (terms.length !== 2 || terms[0] === terms[1] || !code.test(terms[0]) || !code.test(terms[1])) {
			return null;
		}
		var a = terms[0].toUpperCase(), b = terms[1].toUpperCase();
		var any = function (name) { return name.replace(/^[245]\./, "X."); };
		var found = [a + "-" + b, b + "-" + a, any(a) + "-" + any(b), any(b) + "-" + any(a)].filter(
			function (pair) { return referencePairs.indexOf(pair) >= 0; })[0];
		return found || (referenceAnyPair ? a + "-" + b : null);
	}

	var tones = {"2": "good", "3": "ask", "4": "wait", "5": "bad"};

	function show() {
		var terms = box.value.toLowerCase().split(/\s+/).filter(Boolean).slice(0, 8);
		var found = [], pair = pairOf(terms);

		list.textContent = "";
		if (pair) {
			var codes = pair.split("-");
			row("compare/" + pair, "",
				list.getAttribute("data-both").replace("{a}", codes[0]).replace("{b}", codes[1]), "plain");
		}
		if (terms.length) {
			pages.forEach(function (page) {
				var at = rank(page, terms);
				if (at) {
					found.push([at, page]);
				}
			});
			[3, 2, 1].forEach(function (at) {
				found.forEach(function (one) {
					if (one[0] === at && list.children.length < MOST) {
						row(one[1].path, one[1].key, one[1].name, tones[one[1].key.charAt(0)] || "plain");
					}
				});
			});
		}
		nothing.textContent = terms.length && !list.children.length ?
			list.getAttribute("data-nothing").replace("{text}", box.value) : "";
		if (all) {
			all.hidden = terms.length > 0;
		}
	}

	var asked = new URLSearchParams(location.search).get("q");
	if (asked !== null) {
		box.value = asked.slice(0, 100);
		show();
	}
	box.addEventListener("input", show);
})();
