-- Which service a request is for, and the name that decides its replica; envoy.yaml says why.

local function without_query(path)
  return (path:gsub("%?.*$", ""))
end

-- A fork is called NAME.xxxx and must be found where NAME is.
local function name_of(id)
  return id:match("^[%w_-]+")
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local path = without_query(headers:get(":path"))
  local service, rest = path:match("^/(%l+)(/.*)$")
  headers:replace("x-restep-service", service or "none")
  headers:remove("x-restep-session")
  if rest == nil then
    return
  end
  local id = rest:match("^/v1/sessions/([^/]+)")
  if id == nil and rest == "/v1/sessions" and headers:get(":method") == "POST" then
    local body = handle:body(true)
    headers = handle:headers()  -- what was held before a wait may not be used after it
    local text = body:length() > 0 and body:getBytes(0, body:length()) or ""
    id = text:match('"session_id"%s*:%s*"([^"]+)"')
    if id == nil then
      id = headers:get("x-request-id")
      headers:replace(":method", "PUT")
      headers:replace(":path", path .. "/" .. id)
    end
  end
  local name = id and name_of(id)
  if name then
    headers:replace("x-restep-session", name)
  end
end
