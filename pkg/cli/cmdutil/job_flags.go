package cmdutil

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/pki"
)

// JobFlags are what every write on many items takes.
type JobFlags struct {
	Job       string
	ExpectSHA string
	Verify    ops.Verify
	Rate      int
	Deadline  string
	Comment   string
	Ticket    string
	Drill     bool
}

// AddJobFlags adds them; batched says that several items go into one request.
func AddJobFlags(cmd *cobra.Command, j *JobFlags, batched bool) {
	fs := cmd.Flags()
	fs.StringVar(&j.Job, "job", "", "`name` of the job, for `cmctl job`; made of verb and time by default")
	fs.StringVar(&j.ExpectSHA, "expect-sha256", "", "refuse unless the plan has this `digest`, as --dry-run prints it")
	CountFlag(cmd, &j.Rate, "rate", 0, 1, "most items a second, `N`; as fast as gateway and key allow by default")
	fs.StringVar(&j.Deadline, "deadline", "", "warn as soon as the run cannot end by this `time`, such as 4h or 2026-01-31T18:00:00Z")
	fs.StringVar(&j.Comment, "comment", "", "`text` for the journal")
	fs.StringVar(&j.Ticket, "ticket", "", "`reference` of a ticket, for the journal")
	fs.BoolVar(&j.Drill, "drill", false, "practise: fetch and sign everything, send nothing signed, and say drill")
	fs.Int("parallel", 4, "requests of a kind under way at a time, `N`, 1 to 64")
	j.Verify = ops.VerifyAll
	if batched {
		EnumFlag(cmd, &j.Verify, "verify", "what is read back before it is called done; all by default", []string{"all", "sample", "none"}, OneOf[ops.Verify]("all", "sample", "none"))
		AddBatchFlag(cmd)
	}
}

// Check refuses flags that cannot be, before anything is read.
func (j *JobFlags) Check(f *Factory) error {
	if j.Job != "" {
		if err := bulk.CheckName(j.Job); err != nil {
			return err
		}
	}
	if sum, err := hex.DecodeString(j.ExpectSHA); err != nil || j.ExpectSHA != "" && len(sum) != sha256.Size {
		return exit.Usagef("--dry-run prints it", "--expect-sha256 %q: expected 64 hexadecimal digits", j.ExpectSHA)
	}
	_, err := j.deadline(f)
	return err
}

func (j *JobFlags) deadline(f *Factory) (time.Time, error) {
	if j.Deadline == "" {
		return time.Time{}, nil
	}
	t, err := pki.ParseTime(j.Deadline, f.Now())
	switch {
	case err != nil:
		return t, exit.Usagef(exit.HintOf(err), "--deadline: %w", err)
	case !t.After(f.Now()):
		return t, exit.Usagef("", "--deadline %s is over", pki.FormatTime(t))
	}
	return t, nil
}

// CheckDigest refuses a plan that is not the one that was meant.
func (j *JobFlags) CheckDigest(plan *bulk.Builder) error {
	if got := plan.SHA256(); j.ExpectSHA != "" && !strings.EqualFold(j.ExpectSHA, got) {
		return exit.Usagef("look at it with --dry-run", "--expect-sha256 %s: the plan of %s has %s", j.ExpectSHA, Plural(plan.Len(), "item"), got)
	}
	return nil
}
