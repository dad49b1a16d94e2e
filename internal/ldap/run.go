package ldap

import (
	"time"
)

// State is how far a run has come.
type State string

// The states of a run.
const (
	Running   State = "RUNNING"
	Succeeded State = "SUCCEEDED"
	// Refused by the safety limit: nothing was changed.
	Refused State = "REFUSED"
	Failed  State = "FAILED"
)

// Why a run began.
const (
	bySchedule = "SCHEDULE"
	byRequest  = "REQUEST"
)

// Run is one run of a source, as it is kept.
type Run struct {
	ID, StoreID, Source string
	State               State
	// Cause is SCHEDULE or REQUEST, StartedBy the ARN of who asked for it.
	Cause, StartedBy string
	DryRun, Force    bool
	Started, Ended   time.Time
	Report           Report
}

// Report is what came of a run. Its JSON form is that of the database.
type Report struct {
	// Message says in a sentence how the run ended.
	Message string `json:"message,omitempty"`
	// People and Groups were read; Changes were planned (a dry run) or made, by action.
	People  int            `json:"people"`
	Groups  int            `json:"groups"`
	Changes map[Action]int `json:"changes,omitempty"`
	Losses  Losses         `json:"losses,omitzero"`
	// Problems are the first of ProblemCount, Planned the first changes of a dry run or of a run that was refused.
	Problems     []Problem `json:"problems,omitempty"`
	ProblemCount int       `json:"problemCount"`
	Planned      []Planned `json:"planned,omitempty"`
}

// Planned is a change as a report shows it.
type Planned struct {
	Action  Action `json:"action"`
	Name    string `json:"name"`
	ID      string `json:"id,omitempty"`
	Source  string `json:"source"`
	Members int    `json:"members,omitempty"`
}

// The bounds of a report and of the history.
const (
	maxProblems = 200
	maxPlanned  = 1000
	maxRuns     = 100
)

// note takes problems into the report.
func (r *Report) note(problems ...Problem) {
	r.ProblemCount += len(problems)
	room := maxProblems - len(r.Problems)
	r.Problems = append(r.Problems, problems[:min(room, len(problems))]...)
}

// show takes the beginning of a plan into the report.
func (r *Report) show(changes []Change) {
	for _, c := range changes[:min(len(changes), maxPlanned)] {
		r.Planned = append(r.Planned, Planned{Action: c.Action, Name: plain(c.Name), ID: c.ID, Source: plain(c.Source), Members: len(c.Members)})
	}
}

// count takes one change into the report.
func (r *Report) count(a Action) {
	if r.Changes == nil {
		r.Changes = map[Action]int{}
	}
	r.Changes[a]++
}

// total is how many changes there are.
func (r *Report) total() (n int) {
	for _, c := range r.Changes {
		n += c
	}
	return n
}
