"""One trainer for every objective: state, optimisers, schedules, the loop, and what it writes."""
