package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
)

const datasource = "${datasource}"

type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	Datasource  struct{ UID string }
	FieldConfig struct {
		Defaults struct{ Unit string }
	}
	Targets []struct {
		Expr       string
		RefID      string
		Datasource struct{ UID string }
	}
	Panels []panel // of a collapsed row
}

type dashboard struct {
	Title, UID string
	Panels     []panel
	Templating struct {
		List []struct {
			Name, Type string
			Definition string
			Datasource struct{ UID string }
		}
	}
}

// Grafana puts these in before a query is sent.
var substitutes = strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h")

// checkDashboard: each panel says what it shows and in which unit, and asks only for metrics that exist, of the data source that the user chose.
func checkDashboard(args []string) (string, error) {
	text, err := os.ReadFile(args[0])
	if err != nil {
		return "", err
	}
	var board dashboard
	if err := json.Unmarshal(text, &board); err != nil {
		return "", fmt.Errorf("%s: %w", args[0], err)
	}
	metrics, err := readScrape(args[1])
	if err != nil {
		return "", err
	}
	var faults faults
	if board.UID == "" || board.Title == "" {
		faults.add("the dashboard needs a title and a uid")
	}
	checkVariables(board, metrics, &faults)

	titles, ids, queries := map[string]bool{}, map[int]bool{}, 0
	for _, panel := range flatten(board.Panels) {
		if panel.Title == "" || titles[panel.Title] {
			faults.add("panel %d: the title %q is missing or not the only one", panel.ID, panel.Title)
		}
		if ids[panel.ID] {
			faults.add("%s: id %d is not the only one", panel.Title, panel.ID)
		}
		titles[panel.Title], ids[panel.ID] = true, true
		if panel.Type == "row" {
			continue
		}
		if panel.Description == "" {
			faults.add("%s: has no description", panel.Title)
		}
		if panel.FieldConfig.Defaults.Unit == "" {
			faults.add("%s: has no unit", panel.Title)
		}
		if panel.Datasource.UID != datasource {
			faults.add("%s: the data source is not %s", panel.Title, datasource)
		}
		if len(panel.Targets) == 0 {
			faults.add("%s: has no query", panel.Title)
		}
		for _, target := range panel.Targets {
			queries++
			if target.Datasource.UID != datasource {
				faults.add("%s %s: the data source is not %s", panel.Title, target.RefID, datasource)
			}
			if err := metrics.checkQuery(substitutes.Replace(target.Expr)); err != nil {
				faults.add("%s %s: %w", panel.Title, target.RefID, err)
			}
		}
	}
	if queries == 0 {
		faults.add("the dashboard has no queries")
	}
	return fmt.Sprintf("%d queries in %d panels and rows", queries, len(titles)), faults.error()
}

func checkVariables(board dashboard, metrics scrape, faults *faults) {
	hasDatasource := false
	for _, variable := range board.Templating.List {
		switch variable.Type {
		case "datasource":
			hasDatasource = hasDatasource || "${"+variable.Name+"}" == datasource
		case "query":
			if variable.Datasource.UID != datasource {
				faults.add("variable %s: the data source is not %s", variable.Name, datasource)
			}
			call := regexp.MustCompile(`^label_values\((.+), *\w+\)$`).FindStringSubmatch(variable.Definition)
			if call == nil {
				faults.add("variable %s: is not label_values(METRIC, LABEL)", variable.Name)
			} else if err := metrics.checkQuery(call[1]); err != nil {
				faults.add("variable %s: %w", variable.Name, err)
			}
		}
	}
	if !hasDatasource {
		faults.add("the dashboard has no variable for the data source")
	}
}

func flatten(panels []panel) []panel {
	var all []panel
	for _, panel := range panels {
		all = append(append(all, panel), flatten(panel.Panels)...)
	}
	return all
}
