# SPDX-License-Identifier: BSD-2-Clause
# Lines of expected.txt in, Markdown out: the ways taken by the kernels as they are, what was right
# in each tier, and what is lost where. Machines and moments come in the order they are read.

BEGIN { FS = " [|] ?" }

!($1 in kernel) { kernel[$1] = ""; machine[++machines] = $1 }
$3 == "kernel" { kernel[$1] = $4; next }
$3 == "sessions" {
	split($4, number, " ")
	sessions[$1, $2] = number[1] " / " number[2] " / " number[3]
	tier_ran[$2] = 1
	next
}
{
	if (!(($1, $3) in way) && !($3 in first)) {
		moment[++moments] = $3
		first[$3] = $4
	}
	if ($2 == "stock")
		way[$1, $3] = $4
	if ($4 != first[$3])
		differs[$3] = 1
	if ($5)
		lose($3 SUBSEP $5)
}

function lose(what) {
	if (!(what in by_itself)) {
		by_itself[what] = by_force[what] = ""
		lost[++losses] = what
	}
	if ($2 == "stock")
		by_itself[what] = add(by_itself[what], title($1))
	else if (!((what, $1) in noted)) {
		noted[what, $1] = 1
		by_force[what] = add(by_force[what], title($1))
	}
}

function add(list, word) { return list == "" ? word : list ", " word }

# "6.12 arm64"
function title(name, word) {
	split(kernel[name], word, " ")
	if (name == "here")
		return word[1] " bare"
	if (name == "new")
		return word[1] " newest"
	return word[1] (word[2] == "x86_64" ? "" : " " word[2])
}

# `cgroup/connect4,6`, `iter/task_file,tcp`
function code(ways, word) {
	if (ways ~ /^(-|not needed)?$/)
		return ways
	if (split(ways, word, ", ") == 2)
		ways = word[1] "," substr(word[2], alike(word[1], word[2]) + 1)
	return "`" ways "`"
}

# How many characters both begin with: all but a last digit, or what stands before a slash.
function alike(a, b, i, slash) {
	for (i = 1; substr(a, i, 1) == substr(b, i, 1); i++)
		if (substr(a, i, 1) == "/")
			slash = i
	return substr(b, i) ~ /^[0-9]$/ ? i - 1 : slash
}

function print_ways(i, j, line) {
	for (i = 1; i <= moments; i++) {
		if (!(moment[i] in differs)) {
			same = add(same, moment[i] " " code(first[moment[i]]))
			continue
		}
		line = "| " moment[i] " |"
		for (j = 1; j <= machines; j++)
			line = line " " code(way[machine[j], moment[i]]) " |"
		print line
	}
}

function print_sessions(words, tier, i, line) {
	if (!(tier in tier_ran))
		return
	line = "| " words " |"
	for (i = 1; i <= machines; i++)
		line = line " " sessions[machine[i], tier] " |"
	print line
}

function print_header(i, line, rule) {
	line = "| |"
	rule = "|---|"
	for (i = 1; i <= machines; i++) {
		line = line " " title(machine[i]) " |"
		rule = rule "---|"
	}
	print line "\n" rule
}

# The same words of several moments, lost at the same places, are one line.
function print_losses(i, what, line, lines, at, moments_of) {
	for (i = 1; i <= losses; i++) {
		split(lost[i], what, SUBSEP)
		line = what[2] " | " by_itself[lost[i]] " | " by_force[lost[i]] " |"
		if (!(line in moments_of))
			at[++lines] = line
		moments_of[line] = add(moments_of[line], what[1])
	}
	print "\n| what is lost | where | and by `--without` |\n|---|---|---|"
	for (i = 1; i <= lines; i++)
		print "| " moments_of[at[i]] ": " at[i]
}

END {
	print_header()
	print_ways()
	print_sessions("sessions right / wrong / missing", "stock")
	print_sessions("the same without LSM", "no-lsm")
	print_sessions("and without fentry", "no-trampolines")
	print_sessions("and without kprobes", "lowest")
	print "\nThe same everywhere: " same "."
	if ("here" in kernel)
		print "Bare: a kernel that has no kprobes, fentry, LSM and tracefs."
	if (losses)
		print_losses()
}
