/* The statements of TLS for clients: certificates, issuers of theirs, versions. */
#include "conf/conf_internal.h"

/* The text of a file of the bundle that holds certificates and no private key. */
static bool
take_pem(struct conf_parser *parser, struct conf_place place, struct span path,
    struct span *pem)
{
	const struct conf_file *file = conf_bundle_find(parser->bundle, path);

	if (!file)
		return conf_parser_fail(
		    parser, place, "the file %s was not read", conf_quote(path).text);
	if (file->unreadable)
		return conf_parser_fail(parser, place, "cannot read %.*s: %.*s",
		    SPAN_ARGS(file->name), SPAN_ARGS(file->text));
	if (memmem(file->text.ptr, file->text.len, "-----BEGIN CERTIFICATE", 22) == NULL)
		return conf_parser_fail(parser, place,
		    "%s holds no certificate in PEM (\"-----BEGIN CERTIFICATE-----\")",
		    conf_quote(file->name).text);
	/* Every process gets this text; private keys are for the keyring alone. */
	if (memmem(file->text.ptr, file->text.len, "PRIVATE KEY-----", 16) != NULL)
		return conf_parser_fail(parser, place,
		    "%s holds a private key too; keep it in a file of its own",
		    conf_quote(file->name).text);
	check(arena_copy(parser->arena, file->text, pem));
	return true;
}

static bool
said_once(struct conf_parser *parser, struct conf_place place, struct span path)
{
	struct buf text;
	bool first;

	buf_init(&text, CONF_PATH_BYTES_MAX + 32);
	buf_add_str(&text, "certificate ");
	buf_add(&text, path);
	first = conf_parser_once(parser, place, buf_span(&text));
	buf_fini(&text);
	return first;
}

bool
conf_certificate_parse(struct conf_parser *parser)
{
	struct conf *conf = parser->conf;
	struct conf_place place = parser->token.place;
	struct conf_certificate certificate = {0};

	if (!conf_parser_path(parser, "the file of the certificate", CONF_PATH_BYTES_MAX,
		&certificate.path) ||
	    !conf_parser_expect(parser, "key") ||
	    !conf_parser_path(parser, "the file of the private key", CONF_PATH_BYTES_MAX,
		&certificate.key_path))
		return false;
	if (conf->certificate_count == CONF_CERTIFICATES_MAX)
		return conf_parser_fail(parser, place, "at most %d certificates",
		    (int)CONF_CERTIFICATES_MAX);
	if (!said_once(parser, place, certificate.path) ||
	    !take_pem(parser, place, certificate.path, &certificate.pem))
		return false;
	conf->certificates[conf->certificate_count++] = certificate;
	return true;
}

bool
conf_clients_parse(struct conf_parser *parser)
{
	struct conf *conf = parser->conf;
	struct conf_place place = parser->token.place;

	return conf_parser_path(parser, "the file of the issuers' certificates",
		   CONF_PATH_BYTES_MAX, &conf->clients_path) &&
	       take_pem(parser, place, conf->clients_path, &conf->clients_pem);
}

static const char *
version_name(unsigned version)
{
	return conf_tls_version_name((enum conf_tls_version)version);
}

bool
conf_tls_version_parse(struct conf_parser *parser)
{
	unsigned choice;

	if (!conf_parser_choice(parser, version_name, CONF_TLS_1_3 + 1, &choice))
		return false;
	parser->conf->tls_version_min = (enum conf_tls_version)choice;
	return true;
}
