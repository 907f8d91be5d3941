# A notebook of the 0.9 kind: every step at the prompt, misspelt as in the documentation, saved and loaded again.
import os

from agavepy.agave import Agave

agave = Agave()
agave.init(tenantsurl=os.environ["TENANTS_URL"])
print(agave.tenant_id, agave.api_server == os.environ["SERVER"])
agave.clients_create("my_super_cool_client", "my client's desciption")
print(bool(agave.api_key), bool(agave.api_secret), agave.client_name)
agave.clients_list()
agave.clients_subscribtions()
agave.get_access_token()
first = agave.token
print(isinstance(agave.token, str), len(agave.refresh_token) > 0)
agave.refresh_tokens()
print(agave.token != first)
agave.save_configs()

again = Agave()
again.load_configs()
print(again.tenant_id, again.username, again.client_name, again.token == agave.token)
print(again.profiles.get()["username"])
agave.clients_delete("my_super_cool_client")
print(repr(agave.api_key))
