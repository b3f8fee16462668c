/* /openapi.json: the interface, for programs. */
#include "api/exchange.h"
#include "api/openapi.h"

void api_openapi_answer(struct exchange *x)
{
    api_exchange_field_text(x, "Content-Type", "application/json");
    api_exchange_field_text(x, "Cache-Control", "max-age=300");
    api_exchange_respond(x, 200, NULL, api_openapi_text);
}
