/* Questions are answered by whoever plays the name servers, or not at all. */
#include "sim/sim_internal.h"

enum { SILENCE_US = 15000000, ANSWER_US = 2000000 };

struct question {
	struct sim_event event;
	struct io_op *op;
	enum io_dns_type type;
	struct span name;
};

static void
drop(struct sim_event *event)
{
	sim_free(container_of(event, struct question, event));
}

static bool
is_name(struct span name)
{
	if (name.len == 0 || name.len > 255)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] <= ' ' || name.ptr[i] > '~')
			return false;
	return true;
}

static enum err
ask(struct sim *sim, struct question *question, struct sim_dns_answer *answer)
{
	const struct sim_faults *faults = &sim->options.faults;
	struct sim_current was;

	*answer = (struct sim_dns_answer){.ttl_s = 300};
	if (!is_name(question->name))
		return ERR_SYNTAX;
	if (sim_happens(sim, faults->dns_error))
		return ERR_DNS;
	if (!sim->on_dns) {
		answer->rcode = 3;
		return OK;
	}
	was = sim_step_out(sim);
	sim->on_dns(sim->on_dns_owner, question->name, question->type, answer);
	*sim_current() = was;
	return answer->err;
}

static void
fire(struct sim_event *event)
{
	struct question *question = container_of(event, struct question, event);
	struct io_op *op = question->op;
	struct sim *sim = event->io->sim;
	struct sim_dns_answer *answer = &sim->dns_answer;

	op->err = ask(sim, question, answer);
	sim_free(question);
	if (!op->err) {
		sim->dns_given = (struct io_dns_answer){
		    .rcode = answer->rcode,
		    .secure = answer->secure,
		    .bogus = answer->bogus,
		    .ttl_s = answer->ttl_s,
		    .records = answer->records,
		    .record_count = answer->record_count,
		};
		op->answer = &sim->dns_given;
		for (size_t i = 0; i < answer->record_count; i++)
			sim_hash_bytes(sim, answer->records[i]);
	}
	sim_hash(sim, (uint64_t)op->err);
	op->done(op);
}

static void
time_out(struct sim_event *event)
{
	struct question *question = container_of(event, struct question, event);
	struct io_op *op = question->op;

	sim_free(question);
	op->err = ERR_TIMEOUT;
	op->done(op);
}

void
io_dns_anchor(struct io *io, const char *path)
{
	(void)io;
	(void)path;
}

enum err
io_dns_servers(struct io *io, const struct net_addr *servers, size_t count)
{
	(void)io;
	(void)servers;
	(void)count;
	return OK;
}

void
io_dns(struct io *io, struct io_op *op, struct span name, enum io_dns_type type)
{
	struct sim *sim = io->sim;
	struct question *question = sim_alloc(sim, sizeof(*question) + name.len);
	bool silent = sim_happens(sim, sim->options.faults.dns_silence);

	check(op->done);
	sim_op_start(op);
	if (name.len > 0)
		memcpy(question + 1, name.ptr, name.len);
	question->name = span_of((char *)(question + 1), name.len);
	question->type = type;
	question->op = op;
	question->event = (struct sim_event){
	    .fire = silent ? time_out : fire, .drop = drop, .io = io, .name = "dns"};
	sim_event_start(sim, &question->event,
	    silent ? SILENCE_US
		   : sim_delay_us(sim, sim_chance(sim, 50) ? sim->options.net_us_max : ANSWER_US));
}

void
sim_dns_add(struct sim_dns_answer *answer, struct span rdata)
{
	check(answer->record_count < SIM_DNS_RECORDS_MAX);
	check(rdata.len <= SIM_DNS_BYTES_MAX - answer->used);
	memcpy(answer->bytes + answer->used, rdata.ptr, rdata.len);
	answer->records[answer->record_count++] = span_of(answer->bytes + answer->used, rdata.len);
	answer->used += rdata.len;
}

void
sim_dns_add_addr(struct sim_dns_answer *answer, const struct net_addr *addr)
{
	sim_dns_add(answer, span_of((const char *)addr->bytes, addr->family == 4 ? 4 : 16));
}

void
sim_dns_add_mx(struct sim_dns_answer *answer, unsigned preference, struct span host)
{
	char rdata[260];
	size_t len = 0;
	struct span label;

	check(host.len < 250);
	rdata[len++] = (char)(preference >> 8);
	rdata[len++] = (char)preference;
	while (span_cut(&host, '.', &label)) {
		if (label.len == 0)
			continue;
		check(label.len < 64);
		rdata[len++] = (char)label.len;
		memcpy(rdata + len, label.ptr, label.len);
		len += label.len;
	}
	rdata[len++] = 0;
	sim_dns_add(answer, span_of(rdata, len));
}

void
sim_dns_add_txt(struct sim_dns_answer *answer, struct span text)
{
	char rdata[1024];
	size_t len = 0;

	while (text.len > 0) {
		struct span part = span_first(text, 255);

		check(len + part.len + 1 <= sizeof(rdata));
		rdata[len++] = (char)part.len;
		memcpy(rdata + len, part.ptr, part.len);
		len += part.len;
		text = span_skip(text, part.len);
	}
	sim_dns_add(answer, span_of(rdata, len));
}
