# Profiles: named settings, each with a ledger of its own
$ rpctl points add C1 5 -q
$ rpctl profile create shop --time-zone Europe/Berlin --production
name	current	backend	ledger	site	timeZone	production	readOnly	url	tenant	clientId
shop	false	ledger	~/.local/share/rpctl/profiles/shop.db	main	Europe/Berlin	true	false			
$ rpctl profile create audit --ledger shop.db --read-only -q
$ rpctl profile list --fields name,current,timeZone,production,readOnly
name	current	timeZone	production	readOnly
shop	false	Europe/Berlin	true	false
audit	false	UTC	false	true

# A flag beats a variable, which beats the profile in use, which beats the default.
$ rpctl profile use shop -q
$ rpctl customer list
customerId	activePoints
$ rpctl points add C1 70 -q
$ rpctl points balance C1
70
$ RPCTL_SITE=outlet rpctl config show --profile audit --fields setting,value,source
setting	value	source
config_file	~/.config/rpctl/config.toml	default
profile	audit	flag --profile
backend	ledger	profile audit in ~/.config/rpctl/config.toml
ledger	<folder>/shop.db	profile audit in ~/.config/rpctl/config.toml
offline	false	default
site	outlet	environment RPCTL_SITE
time_zone	UTC	default
production	false	default
read_only	true	profile audit in ~/.config/rpctl/config.toml
output		default
no_input	false	default
url		default
tenant		default
client_id		default
timeout_s	60.0	default
settle_s	30.0	default
$ RPCTL_SITE=outlet rpctl config show --sources
setting	value	source
config_file	~/.config/rpctl/config.toml	default
profile	shop	key current in ~/.config/rpctl/config.toml
backend	ledger	profile shop in ~/.config/rpctl/config.toml
ledger	~/.local/share/rpctl/profiles/shop.db	default
offline	false	default
site	outlet	environment RPCTL_SITE
time_zone	Europe/Berlin	profile shop in ~/.config/rpctl/config.toml
production	true	profile shop in ~/.config/rpctl/config.toml
read_only	false	default
output		default
no_input	false	default
url		default
tenant		default
client_id		default
timeout_s	60.0	default
settle_s	30.0	default

# A read-only profile refuses every change.
$ rpctl --profile audit points add C1 1
error: Profile audit is read-only.
hint: Use another profile with --profile NAME.
[6]
$ rpctl points add C1 1 --profile nobody
error: There is no profile 'nobody' in ~/.config/rpctl/config.toml.
hint: There are: shop, audit.
[5]

# Deleting asks first, and leaves the ledger where it is.
$ rpctl profile delete shop
error: Delete profile shop? Nobody can be asked here.
hint: If that is meant: rpctl profile delete shop --yes
[6]
$ rpctl profile delete shop --yes -q
$ rpctl points balance C1
5
