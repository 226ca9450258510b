-- Completes the problem document of a request that a rate limit refused: which limit it was, what
-- is left of it, and when to come back. Other answers pass untouched.

local function number(text)
  return string.match(text or "", "^%d+") or "0"
end

function envoy_on_response(handle)
  local headers = handle:headers()
  if headers:get("x-edge-limit") == nil then
    return
  end
  headers:remove("x-edge-limit")
  local members = string.format(
    ',"quotaLimit":%s,"quotaRemaining":%s,"retryAfter":%s}',
    number(headers:get("x-ratelimit-limit")),
    number(headers:get("x-ratelimit-remaining")),
    number(headers:get("retry-after"))
  )
  local body = handle:body(true)
  local document = string.gsub(tostring(body:getBytes(0, body:length())), "}%s*$", "") .. members
  -- Waiting for the body ended the life of `headers`.
  handle:headers():replace("content-length", tostring(body:setBytes(document)))
end
