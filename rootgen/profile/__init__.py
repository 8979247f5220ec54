"""(vocabulary of profile: written with the room)"""
